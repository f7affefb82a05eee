/** What a directory's index page says of it: the pages that Apache, nginx, lighttpd, Caddy and Python's `http.server` make. */

import { type FileNames, STORE_NAMES } from '../local/names.ts';

/** A name in a directory. */
export interface IndexedName {
  /** The file's name, as it lies on the server's disk. */
  readonly name: string;
  /** The segment of a key that it stands for. */
  readonly segment: string;
  readonly isDirectory: boolean;
}

const IS_INDEX = /<(?:title|h1)[^>]*>\s*(?:index of|directory listing|listing of|contents of)\b/i;

/** Reads the names off an index page, or gives undefined when the page is something else. */
export function parseIndexPage(
  html: string,
  directory: URL,
  names: FileNames = STORE_NAMES,
): IndexedName[] | undefined {
  if (!IS_INDEX.test(html)) return undefined;
  const found = new Map<string, IndexedName>();
  for (const [, double, single] of html.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)) {
    const indexed = nameOf(unescapeHtml(double ?? single ?? ''), directory, names);
    if (indexed !== undefined) found.set(indexed.name, indexed);
  }
  return [...found.values()];
}

function nameOf(href: string, directory: URL, names: FileNames): IndexedName | undefined {
  if (href.startsWith('?') || href.startsWith('#') || !URL.canParse(href, directory.href)) return undefined;
  const { origin, pathname } = new URL(href, directory);
  if (origin !== directory.origin || !pathname.startsWith(directory.pathname)) return undefined;
  const [, encoded, slash] = /^([^/]+)(\/?)$/.exec(pathname.slice(directory.pathname.length)) ?? [];
  const name = encoded === undefined ? undefined : decoded(encoded);
  const segment = name === undefined ? undefined : names.segmentOf(name);
  if (name === undefined || segment === undefined) return undefined;
  return { name, segment, isDirectory: slash === '/' };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function unescapeHtml(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name: string) => ENTITIES[name] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" };
