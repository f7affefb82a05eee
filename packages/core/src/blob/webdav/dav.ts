/**
 * The WebDAV methods that a store needs, over one root. Paths are relative to the root and made of encoded names; a
 * collection's path ends with a slash when it is sent, as servers redirect or refuse it otherwise.
 */

import type { BlobBody } from '../blob-store.ts';
import type { HttpClient, HttpReply } from '../http/client.ts';
import { lengthOf } from '../http/open-range.ts';
import { INNER_FILE } from '../local/names.ts';
import { type DavResource, PROPFIND_BODY, parseMultistatus } from './multistatus.ts';

const MAX_LISTING_BYTES = 256 * 1024 * 1024;

/** What every method here takes besides its path. */
export interface DavOptions {
  readonly operation: string;
  readonly signal: AbortSignal | undefined;
}

/** A resource and, of a collection, what lies directly in it (by name). */
export interface DavListing {
  readonly self: DavResource;
  readonly children: ReadonlyMap<string, DavResource>;
}

/** Sends WebDAV requests below one root. */
export class Dav {
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #root: string;

  /** `root`: percent-encoded path with a slash at its end. */
  constructor(client: HttpClient, origin: string, root: string) {
    this.#client = client;
    this.#origin = origin;
    this.#root = root;
  }

  /** The percent-encoded path on the server of a path of encoded names. */
  pathOf(path: string): string {
    return `${this.#root}${path.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** Looks at a resource and what lies directly in it; undefined when there is none. One request; two for an empty collection. */
  async look(path: string, options: DavOptions): Promise<DavListing | undefined> {
    const listed = await this.#list(path, options);
    if (listed === undefined || !listed.self.isCollection || listed.children.size > 0) return listed;
    // Some servers hide names that begin with a dot.
    const inner = await this.file(path === '' ? INNER_FILE : `${path}/${INNER_FILE}`, options);
    if (inner === undefined) return listed;
    const hidden = { ...inner, path: `${listed.self.path}/${INNER_FILE}`, isCollection: false };
    return { self: listed.self, children: new Map([[INNER_FILE, hidden]]) };
  }

  async #list(path: string, options: DavOptions): Promise<DavListing | undefined> {
    const reply = await this.#client.send({
      method: 'PROPFIND',
      path: this.pathOf(path),
      headers: {
        depth: '1',
        'content-type': 'application/xml; charset=utf-8',
        'content-length': String(PROPFIND_BODY.length),
      },
      payload: PROPFIND_BODY,
      ...options,
    });
    if (reply.status === 207) return listing(parseMultistatus(await reply.text(MAX_LISTING_BYTES)));
    await reply.discard();
    // A path below a file: nothing can lie there.
    if (reply.status === 404 || reply.status === 409) return undefined;
    throw reply.error();
  }

  /** Makes a collection: `made`, `exists`, or `no-parent`. One request. */
  async makeCollection(path: string, options: DavOptions): Promise<'made' | 'exists' | 'no-parent'> {
    return this.makeCollectionAt(this.pathOf(path), options);
  }

  /** Makes a collection at a percent-encoded path of the server, which may lie above the root. */
  async makeCollectionAt(path: string, options: DavOptions): Promise<'made' | 'exists' | 'no-parent'> {
    const reply = await this.#send('MKCOL', path.endsWith('/') ? path : `${path}/`, options);
    if (reply.status === 201 || reply.status === 200) return 'made';
    if (reply.status === 405) return 'exists';
    if (reply.status === 409 || reply.status === 404) return 'no-parent';
    // Of several that make it at once, Apache tells all but one that it is forbidden; others say that it is locked.
    if (reply.status !== 401 && (await this.#isThere(path, options))) return 'exists';
    throw reply.error();
  }

  async #isThere(path: string, options: DavOptions): Promise<boolean> {
    const headers = { depth: '0', 'content-length': '0' };
    return (await this.#send('PROPFIND', path.endsWith('/') ? path : `${path}/`, options, headers)).status === 207;
  }

  /** Moves a collection where nothing may be yet, and gives the answer's status and error. One request. */
  async move(from: string, to: string, options: DavOptions): Promise<HttpReply> {
    const destination = `${this.#origin}${this.pathOf(to)}/`;
    return this.#send('MOVE', `${this.pathOf(from)}/`, options, { destination, overwrite: 'F' });
  }

  /** Stores a file, in place of one that is there. One request. */
  async put(path: string, key: string, body: BlobBody, options: DavOptions): Promise<void> {
    const reply = await this.#client.send({ method: 'PUT', path: this.pathOf(path), key, body, ...options });
    await reply.discard();
    if (reply.status < 200 || reply.status > 299) throw reply.error();
  }

  /** Size and time of a file; undefined when there is none. One request. */
  async file(path: string, options: DavOptions): Promise<Pick<DavResource, 'sizeBytes' | 'modifiedAt'> | undefined> {
    const reply = await this.#send('HEAD', this.pathOf(path), options, { 'accept-encoding': 'identity' });
    if (reply.status === 200 || reply.status === 204)
      return { sizeBytes: lengthOf(reply) ?? 0, modifiedAt: new Date(reply.headers['last-modified'] ?? 0) };
    if ([404, 405, 409, 410].includes(reply.status)) return undefined;
    throw reply.error();
  }

  /** Removes a file, or a collection (`path` ends with a slash) with all that lies in it; nothing happens when there is none. One request. */
  async remove(path: string, options: DavOptions): Promise<void> {
    const reply = await this.#send('DELETE', this.pathOf(path), options);
    if ((reply.status >= 200 && reply.status < 300 && reply.status !== 207) || reply.status === 404) return;
    throw reply.error();
  }

  async #send(method: string, path: string, options: DavOptions, headers: Record<string, string> = {}) {
    const reply = await this.#client.send({ method, path, headers, ...options });
    await reply.discard();
    return reply;
  }
}

function listing(resources: readonly DavResource[]): DavListing | undefined {
  // Servers put the resource itself first or anywhere: it is the one with the shortest path.
  const self = resources.reduce<DavResource | undefined>(
    (shortest, one) => (shortest === undefined || one.path.length < shortest.path.length ? one : shortest),
    undefined,
  );
  if (self === undefined) return undefined;
  const inside = resources.filter((one) => one !== self && one.path.startsWith(`${self.path}/`));
  return { self, children: new Map(inside.map((one) => [one.path.slice(self.path.length + 1), one])) };
}
