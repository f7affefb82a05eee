/**
 * A *sum* is an entry `sum` of a small JSON document: the SHA-256 of all its other entries in canonical JSON. Whatever
 * bit of such a document changes, its reader notices, also where nothing else names the document by its digest.
 */

import { type Digest, digestOf } from './digest.ts';
import { canonicalJson, isJsonObject, type JsonObject } from './json.ts';

/** Gives a document with its sum. */
export function withSum<T extends object>(document: T): T & { readonly sum: Digest } {
  return { ...document, sum: digestOf(canonicalJson(document)) };
}

/** Says whether a document is what its sum says; one without a sum, from an older release, says nothing. */
export function contradictsSum(document: JsonObject): boolean {
  const { sum, ...rest } = document;
  return sum !== undefined && sum !== digestOf(canonicalJson(rest));
}

/**
 * Says whether a document without a sum has entries that were never written without one: then the name of its sum was
 * damaged. `known` are the entries of documents that older releases wrote.
 */
export function lostItsSum(document: unknown, known: readonly string[]): boolean {
  if (!isJsonObject(document) || document.sum !== undefined) return false;
  return Object.keys(document).some((key) => !known.includes(key));
}
