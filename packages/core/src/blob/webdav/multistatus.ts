import { IngotError } from '../../errors.ts';
import { childText, parseXml, type XmlElement } from './xml.ts';

/** What a server says of one resource. */
export interface DavResource {
  /** Decoded path, without the slash at the end of collections. */
  readonly path: string;
  readonly isCollection: boolean;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** The body of a PROPFIND that asks for what {@link parseMultistatus} reads. */
export const PROPFIND_BODY =
  '<?xml version="1.0" encoding="utf-8"?>\n' +
  '<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>\n';

/**
 * Reads the answer to a PROPFIND.
 * @throws IngotError `unavailable` (not retryable) when it is none.
 */
export function parseMultistatus(text: string): DavResource[] {
  const root = parseXml(text);
  if (root.name !== 'multistatus')
    throw new IngotError('unavailable', `the server answers a listing with <${root.name}>`, { retryable: false });
  return root.children.filter(({ name }) => name === 'response').flatMap(resourceOf);
}

function resourceOf(response: XmlElement): DavResource[] {
  const href = childText(response, 'href')?.trim();
  const found = response.children.find((child) => child.name === 'propstat' && isSuccess(childText(child, 'status')));
  const prop = found?.children.find(({ name }) => name === 'prop');
  if (href === undefined || prop === undefined) return [];
  const type = prop.children.find(({ name }) => name === 'resourcetype');
  const path = pathOf(href);
  if (path === undefined) return [];
  return [
    {
      path: path.replace(/\/+$/, ''),
      isCollection: type?.children.some(({ name }) => name === 'collection') ?? false,
      sizeBytes: Number(childText(prop, 'getcontentlength') ?? 0),
      modifiedAt: new Date(childText(prop, 'getlastmodified') ?? 0),
    },
  ];
}

// `HTTP/1.1 200 OK`; some servers leave it out where nothing failed.
function isSuccess(status: string | undefined): boolean {
  return status === undefined || /^\S*\s*2\d\d\b/.test(status.trim());
}

// A path, or a whole address. What cannot be decoded was put there by others and names no blob.
function pathOf(href: string): string | undefined {
  try {
    return decodeURIComponent(href.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/, ''));
  } catch {
    return undefined;
  }
}
