import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the page itself and hands requests on to a program that was started with
//     airlock debug boot.air --http 7421
// Its token is to be put behind the # by hand, as in the URL that it prints.
const program = 'http://127.0.0.1:7421';

export default defineConfig({
  plugins: [svelte(), svelteTesting()],
  base: './',
  // Module by module, so that what the page does not use of it stays away: 16 kB.
  resolve: { alias: [{ find: /^dockview-core$/, replacement: 'dockview-core/dist/esm/index.js' }] },
  build: {
    target: 'es2022',
    sourcemap: false,
    modulePreload: { polyfill: false }, // the content security policy allows no script in the page
  },
  server: {
    proxy: {
      '/rpc': { target: program, changeOrigin: true },
      '/ws': { target: program, changeOrigin: true, ws: true, rewriteWsOrigin: true },
    },
  },
  test: { environment: 'happy-dom', include: ['test/**/*.test.ts'] },
});
