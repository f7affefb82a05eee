/**
 * A *sum* is an entry `sum` of a small JSON document: the SHA-256 of all its other entries in canonical JSON. Whatever
 * bit of such a document changes, its reader notices, also where nothing else names the document by its digest.
 */

import { type Digest, digestOf } from './digest.ts';
import { canonicalJson, type JsonObject } from './json.ts';

/** Gives a document with its sum. */
export function withSum<T extends object>(document: T): T & { readonly sum: Digest } {
  return { ...document, sum: digestOf(canonicalJson(document)) };
}

/** Says whether a document is what its sum says; one without a sum, from an older release, says nothing. */
export function contradictsSum(document: JsonObject): boolean {
  const { sum, ...rest } = document;
  return sum !== undefined && sum !== digestOf(canonicalJson(rest));
}
