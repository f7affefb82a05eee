/** One server-sent event; a block of the stream without a name says only where it stands. */
export interface ServerEvent {
  readonly name: string | undefined;
  readonly id: string | undefined;
  /** Its data as JSON says it; undefined when there is none, or it is no JSON. */
  readonly data: unknown;
}

const MAX_EVENT_CHARACTERS = 1024 * 1024;

/** Reads a stream of server-sent events, block by block, comments left out. Ends with the stream. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true }).replaceAll('\r\n', '\n');
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = eventOf(text.slice(0, end));
      text = text.slice(end + 2);
      if (event !== undefined) yield event;
    }
    // Whatever sends this is no event stream.
    if (text.length > MAX_EVENT_CHARACTERS) return;
  }
}

function eventOf(block: string): ServerEvent | undefined {
  let name: string | undefined;
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^(event|id|data): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') name = value;
    else if (field === 'id') id = value;
    else if (field === 'data') data.push(value);
  }
  if (name === undefined && id === undefined && data.length === 0) return undefined;
  return { name, id, data: parsed(data.join('\n')) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The name of the event alone says that something has changed.
  }
}
