/** What a request may cost before the server refuses it, and how long it may take to arrive. */
export interface ServeLimits {
  /** Largest body, also after decompression, in bytes. Default 64 MiB. */
  readonly bodyBytes: number;
  /** Largest block of request headers in bytes. Default 16 KiB. */
  readonly headerBytes: number;
  /** Deepest nesting of JSON in bodies above 1 MiB. Smaller bodies are never walked deeper than a tensor's rank. Default 64. */
  readonly jsonDepth: number;
  /** How long the headers of a request may take to arrive, in milliseconds. Default 10 s. */
  readonly headersTimeoutMs: number;
  /** How long a whole request may take to arrive, in milliseconds. Default 120 s. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept, in milliseconds. Default 75 s, longer than the usual load balancer's 60. */
  readonly keepAliveTimeoutMs: number;
  /** Replies of at least this many bytes are compressed for clients that accept gzip. Default 64 KiB. */
  readonly compressFromBytes: number;
  /** How long the rest of a refused body is read and thrown away, so that its sender sees the refusal. Default 5 s. */
  readonly lingerMs: number;
}

/** The limits a server has unless told otherwise. */
export const DEFAULT_LIMITS: ServeLimits = {
  bodyBytes: 64 * 1024 * 1024,
  headerBytes: 16 * 1024,
  jsonDepth: 64,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  keepAliveTimeoutMs: 75_000,
  compressFromBytes: 64 * 1024,
  lingerMs: 5_000,
};
