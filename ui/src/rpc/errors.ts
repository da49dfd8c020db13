// How calls fail, and what a page says of it.

/** Codes of JSON-RPC 2.0 and of the interface (sim/rpc/api.h). */
export const code = {
  methodNotFound: -32601,
  invalidParameters: -32602,
  internal: -32603,
  notImplemented: -32000,
  refused: -32001,
  notThere: -32002,
  notPermitted: -32003,
  busy: -32004,
  /** Ours: the connection ended before the answer. */
  disconnected: 0,
} as const;

export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'RpcError';
  }
}

export function asRpcError(error: unknown): RpcError {
  return error instanceof RpcError ? error : new RpcError(code.internal, error instanceof Error ? error.message : String(error));
}
