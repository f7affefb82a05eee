/** What a server answered. */
export interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

/** A request. */
export interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON; bytes as they are. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: 30 seconds. */
  readonly timeoutMs?: number;
}

/**
 * Asks a server. Undefined: there was no whole answer, so nobody knows whether it was done.
 * @throws TypeError for an answer that says it is JSON and is not.
 */
export async function ask<Body = Record<string, unknown>>(
  url: string,
  question: Question = {},
): Promise<Reply<Body> | undefined> {
  const { method = 'GET', body, timeoutMs = 30_000 } = question;
  const isBytes = body instanceof Uint8Array;
  const type = isBytes ? 'application/octet-stream' : 'application/json';
  let text: string;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { ...(body !== undefined && { 'content-type': type }), ...question.headers },
      ...(body !== undefined && { body: isBytes ? Buffer.from(body) : JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    return undefined; // Refused, reset or silent.
  }
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
