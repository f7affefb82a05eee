/**
 * References: how people name a version. `churn` (= `churn:latest`), `churn:7`, `churn:1.2.0`, `churn@production`,
 * `churn@sha256:…`, each with an optional namespace (`team/churn`). A whole number is always a version number.
 */

import type { Digest } from './digest.ts';
import { isDigest, parseDigest } from './digest.ts';
import { IngotError } from './errors.ts';

/** A checked model name: `[namespace/]name` of letters, digits, `.`, `_` and `-`. */
export type ModelName = string & { readonly __brand: 'ModelName' };

/** Which version of a model is meant. */
export type Selector =
  | { readonly kind: 'latest' }
  | { readonly kind: 'version'; readonly number: number }
  | { readonly kind: 'label'; readonly label: string }
  | { readonly kind: 'alias'; readonly alias: string }
  | { readonly kind: 'digest'; readonly digest: Digest };

/** A model's name and which of its versions. */
export interface Reference {
  readonly name: ModelName;
  readonly selector: Selector;
}

const MAX_NAME = 200;
const SEGMENT = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const ALIAS = /^(?!__proto__$)[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;
const RESERVED = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/**
 * Reads a model name.
 * @throws IngotError `invalid-name` for anything but `[namespace/]name` of letters, digits, `. _ -`, or over 200 characters.
 */
export function parseModelName(text: string): ModelName {
  if (isModelName(text)) return text;
  const suggestion = text.length <= MAX_NAME ? slug(text) : '';
  throw new IngotError(
    'invalid-name',
    `"${shown(text)}" is not a model name: use letters, digits, ".", "_" and "-", with at most one "/" for a namespace, ${MAX_NAME} characters at most`,
    isModelName(suggestion) ? { nearest: suggestion } : {},
  );
}

function isModelName(text: string): text is ModelName {
  const segments = text.split('/');
  return text.length <= MAX_NAME && segments.length <= 2 && segments.every(isSegment);
}

// Names become parts of paths and of URLs: nothing that climbs, hides or that some system keeps for itself.
function isSegment(text: string): boolean {
  return SEGMENT.test(text) && !text.includes('..') && !RESERVED.test(text);
}

/**
 * Turns a display name into a model name: `Example Model` becomes `example-model`; a valid name stays as it is.
 * @throws IngotError `invalid-name` when nothing usable is left.
 */
export function toModelName(displayName: string): ModelName {
  if (isModelName(displayName)) return displayName;
  const name = slug(displayName.slice(0, 10 * MAX_NAME));
  return parseModelName(isModelName(name) ? name : displayName);
}

// Paths are not display names: what climbs is refused, not repaired.
function slug(text: string): string {
  const segments = text.split('/');
  if (segments.includes('..') || segments.includes('.')) return '';
  const kept = segments.map(slugOfSegment).filter((segment) => segment !== '');
  return kept.join(kept.length <= 2 ? '/' : '-');
}

function slugOfSegment(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[-._]+|[-._]+$/g, '');
}

/** Checks an alias: letters, digits, `_ . -`, not `latest`, not a number, 100 characters at most. Throws `invalid-name`. */
export function parseAlias(text: string): string {
  if (ALIAS.test(text) && text.length <= 100 && !/^(?:latest|v?\d+)$/i.test(text)) return text;
  throw new IngotError(
    'invalid-name',
    `"${shown(text)}" cannot be an alias: use letters, digits, "_", "." and "-"; not "latest" and not a number`,
  );
}

/** Checks a label (the author's own version text): not a whole number. Throws `invalid-name`. */
export function parseLabel(text: string): string {
  if (LABEL.test(text) && text.length <= 100 && !/^\d+$/.test(text) && text !== 'latest') return text;
  throw new IngotError(
    'invalid-name',
    `"${shown(text)}" cannot be a version label: use letters, digits, ".", "_", "+" and "-"; a whole number is always a version number`,
  );
}

/**
 * Reads a reference.
 * @throws IngotError `invalid-reference` or `invalid-name`.
 * @example
 * parseReference('team/churn@production'); // { name: 'team/churn', selector: { kind: 'alias', alias: 'production' } }
 */
export function parseReference(text: string): Reference {
  const mark = text.search(/[:@]/);
  if (mark < 0) return { name: parseModelName(text), selector: { kind: 'latest' } };
  const name = parseModelName(text.slice(0, mark));
  const rest = text.slice(mark + 1);
  if (rest === '')
    throw new IngotError('invalid-reference', `"${shown(text)}" ends where a version or an alias should stand`);
  return { name, selector: text[mark] === '@' ? parseAt(rest) : parseColon(rest) };
}

function parseAt(rest: string): Selector {
  if (isDigest(rest)) return { kind: 'digest', digest: rest };
  if (rest.startsWith('sha256:')) return { kind: 'digest', digest: parseDigest(rest) };
  if (rest === 'latest') return { kind: 'latest' };
  return { kind: 'alias', alias: parseAlias(rest) };
}

function parseColon(rest: string): Selector {
  if (rest === 'latest') return { kind: 'latest' };
  if (!/^\d+$/.test(rest)) return { kind: 'label', label: parseLabel(rest) };
  const number = Number(rest);
  if (Number.isSafeInteger(number) && number > 0) return { kind: 'version', number };
  throw new IngotError('invalid-reference', `"${shown(rest)}" is not a version number: versions count from 1`);
}

/** Writes a reference the way {@link parseReference} reads it. */
export function formatReference(reference: Reference): string {
  const { name, selector } = reference;
  switch (selector.kind) {
    case 'latest':
      return name;
    case 'version':
      return `${name}:${selector.number}`;
    case 'label':
      return `${name}:${selector.label}`;
    case 'alias':
      return `${name}@${selector.alias}`;
    case 'digest':
      return `${name}@${selector.digest}`;
  }
}

// What somebody typed, safe to print: short, and without characters that are invisible or steer a terminal.
function shown(text: string): string {
  const short = text.length <= 60 ? text : `${text.slice(0, 57)}…`;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
