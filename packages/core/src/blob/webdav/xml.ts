import { IngotError } from '../../errors.ts';

/** An element of a document: its name without prefix, its own text, and the elements in it. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface Growing {
  readonly name: string;
  text: string;
  readonly children: Growing[];
}

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s<>/!?]+)(?:"[^"]*"|'[^']*'|[^<>"'])*?(\/?)>|([^<]+)|</g;
const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const DEEPEST = 64;

/**
 * Reads the XML that WebDAV servers answer with: elements and text, names without their prefixes. A document type is
 * refused, so that no entity can be defined.
 * @throws IngotError `unavailable` (not retryable) for anything else.
 */
export function parseXml(text: string): XmlElement {
  const top: Growing = { name: '', text: '', children: [] };
  const open: Growing[] = [top];
  for (const [token, cdata, slash, name, selfClosed, plain] of text.replace(/^\ufeff/, '').matchAll(TOKEN)) {
    const current = open.at(-1);
    if (current === undefined || token === '<') throw malformed(token === '<' ? 'a stray "<"' : 'a stray end');
    if (plain !== undefined) current.text += decodeEntities(plain);
    else if (cdata !== undefined) current.text += cdata;
    else if (name !== undefined && slash === '/') close(open, localName(name));
    else if (name !== undefined) {
      const element: Growing = { name: localName(name), text: '', children: [] };
      current.children.push(element);
      if (selfClosed !== '/') open.push(element);
      if (open.length > DEEPEST) throw malformed('elements nested too deep');
    }
  }
  const [root] = top.children;
  if (open.length !== 1 || root === undefined || top.children.length !== 1) throw malformed('it ends too early');
  return root;
}

/** The text of an element's first child of this name, or undefined. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function close(open: Growing[], name: string): void {
  const closed = open.pop();
  if (closed?.name !== name || open.length === 0) throw malformed(`"${name}" closes what it did not open`);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi, (whole, hex, decimal, named) => {
    if (named !== undefined) return NAMED[named] ?? whole;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

function malformed(what: string): IngotError {
  return new IngotError('unavailable', `the server's listing is not well-formed XML: ${what}`, { retryable: false });
}
