// Fills of the map's cells, drawn once for each theme.
import type { Kind, Pattern } from './map';

/** The drawings below are made for so many units. */
const units = 8;

/** What a cell of this kind looks like, as an image that is copied into each of its places. `size` in pixels of the page. */
export function tile(kind: Kind, colour: string, back: string, size: number, scale: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.round(size * scale);
  const context = canvas.getContext('2d');
  if (context === null) return canvas; // nowhere to draw: tests
  context.scale((size * scale) / units, (size * scale) / units);
  context.fillStyle = back;
  context.fillRect(0, 0, units, units);
  context.fillStyle = context.strokeStyle = colour;
  draw(context, kind.pattern);
  return canvas;
}

function draw(context: CanvasRenderingContext2D, pattern: Pattern): void {
  const lines: Record<Pattern, [number, number, number, number][]> = {
    empty: [],
    solid: [],
    hatch: [[0, 4, 4, 0], [0, 8, 8, 0], [4, 8, 8, 4]],
    back_hatch: [[4, 0, 8, 4], [0, 0, 8, 8], [0, 4, 4, 8]],
    cross: [[0, 0, 8, 8], [0, 8, 8, 0]],
    dots: [],
    rows: [[0, 1.5, 8, 1.5], [0, 4.5, 8, 4.5], [0, 7.5, 8, 7.5]],
    columns: [[1.5, 0, 1.5, 8], [4.5, 0, 4.5, 8], [7.5, 0, 7.5, 8]],
  };
  if (pattern === 'solid') context.fillRect(0, 0, units, units);
  if (pattern === 'empty') context.fillRect(3, 3, 2, 2);
  if (pattern === 'dots') for (const [x, y] of [[1, 1], [5, 1], [3, 4], [1, 6], [6, 6]] as const) context.fillRect(x, y, 2, 2);
  context.lineWidth = 1.3;
  context.beginPath();
  for (const [x1, y1, x2, y2] of lines[pattern]) {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  }
  context.stroke();
}
