import { IngotError, systemErrorCode } from '../../errors.ts';
import { plainCause } from './plain-cause.ts';

/** Failures of name look-up, connection and transfer, which say nothing about the request itself. */
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_CONSTANT',
  'HPE_INVALID_EOF_STATE',
  'EPROTO',
]);

/** A certificate that is not trusted does not become so by trying again. */
const CERTIFICATE = /CERT|^UNABLE_TO_|^ERR_TLS_|SELF_SIGNED/;

/** What to say of a network failure. */
export interface NetworkContext {
  readonly operation: string;
  readonly address: string;
  /** Host and port, or the base URL, that does not answer. */
  readonly endpoint: string;
  /** The setting that names the endpoint. */
  readonly setBy: string;
}

/** Explains a failure of the network between us and a storage, or gives undefined when it is not one. */
export function networkFailure(error: unknown, context: NetworkContext): IngotError | undefined {
  const code = codeOf(error);
  if (code === undefined) return undefined;
  const { operation, address, endpoint, setBy } = context;
  const details = { address, endpoint, system: code };
  if (CERTIFICATE.test(code)) {
    return new IngotError('unavailable', `the certificate of ${endpoint} is not trusted (${code})`, {
      operation,
      details,
      retryable: false,
      hint: 'set NODE_EXTRA_CA_CERTS to the file of the authority that signed it',
      cause: plainCause(error),
    });
  }
  if (!NETWORK.has(code)) return undefined;
  const said = code === 'ENOTFOUND' ? 'no such host' : 'no answer';
  return new IngotError('unavailable', `${address}: ${said} from ${endpoint} (${code})`, {
    operation,
    details,
    hint: `is the network up, and is ${setBy} right?`,
    cause: plainCause(error),
  });
}

// Clients wrap what the socket said, some several times.
function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    const code = systemErrorCode(at);
    if (code !== undefined && (NETWORK.has(code) || CERTIFICATE.test(code))) return code;
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
    if (/^(?:aborted|socket hang up|Premature close)$/i.test(at.message)) return 'ECONNRESET';
  }
  return undefined;
}
