const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** HTML that is safe to put into a page. */
export interface Html {
  readonly html: string;
}

/** Makes HTML of a template; values are escaped unless they are {@link Html} (or lists of it). */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  return {
    html: parts.map((part, index) => part + (index < values.length ? inner(values[index] ?? '') : '')).join(''),
  };
}

function inner(value: string | number | Html | readonly Html[]): string {
  if (typeof value === 'object') return 'html' in value ? value.html : value.map((part) => part.html).join('');
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}h1,h2{line-height:1.2}pre{background:#f3f3f0;padding:.8rem;overflow:auto;border-radius:4px}table{border-collapse:collapse}th,td{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #ddd;vertical-align:top}a{color:#0b5394}.state{color:#555}@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}pre{background:#262626}a{color:#8ab4f8}th,td{border-color:#444}.state{color:#aaa}}';

/** A whole page, with its style inside: nothing is loaded from anywhere. */
export function page(title: string, body: Html): string {
  const { html: text } =
    html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${{ html: STYLE }}</style></head><body>${body}</body></html>`;
  return text;
}

/** Headers of every page: no scripts, no foreign assets, no framing. */
export const PAGE_HEADERS = [
  'content-security-policy',
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options',
  'nosniff',
  'referrer-policy',
  'no-referrer',
] as const;
