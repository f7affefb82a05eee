/** The facts in what the SDK throws: what they mean for whoever uses a store is said elsewhere. */

/** The facts of a failure, of whatever kind. */
export interface Failure {
  /** The server's error code (`NoSuchKey`), or the name of a local error. */
  readonly name: string;
  readonly message: string;
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  /** Node's code of a failed connection. */
  readonly system: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string | undefined;
  readonly region: string | undefined;
}

/** Takes the facts out of what the SDK throws. */
export function failureOf(error: unknown): Failure {
  const thing = isRecord(error) ? error : {};
  const metadata = isRecord(thing.$metadata) ? thing.$metadata : {};
  const response = isRecord(thing.$response) ? thing.$response : {};
  const headers = isRecord(response.headers) ? response.headers : {};
  const cause = isRecord(thing.cause) ? thing.cause : {};
  const status = numberOf(metadata.httpStatusCode) ?? numberOf(response.statusCode);
  return {
    name: textOf(thing.Code) ?? textOf(thing.name) ?? '',
    message: error instanceof Error ? error.message : String(error),
    status,
    system: textOf(thing.code) ?? textOf(cause.code),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name.toLowerCase(), value]] : [],
      ),
    ),
    requestId: textOf(metadata.requestId),
    region: textOf(thing.Region),
  };
}

/** Whether the server says that there is no such object. */
export function isMissing(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return (
    ['NoSuchKey', 'NotFound', 'NoSuchVersion'].includes(name) ||
    (status === 404 && name !== 'NoSuchBucket' && name !== 'NoSuchUpload')
  );
}

/** Whether an error is about an object, so that its bucket has to be there. */
export function speaksOfObject(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === 'NoSuchKey' || status === 409 || status === 412 || status === 416;
}

/** Whether a create-if-absent found the key taken. */
export function isTaken(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return status === 412 || name === 'PreconditionFailed';
}

/** Whether two conditional writes met: Amazon answers so to one of them, which has to look and to try again. */
export function isWriteConflict(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === 'ConditionalRequestConflict' || (status === 409 && name === 'OperationAborted');
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
const numberOf = (value: unknown) => (typeof value === 'number' ? value : undefined);
