import { IngotError } from '../errors.ts';

/** The parts of an image's name. */
export interface ImageName {
  /** As Kubernetes takes it: `registry.example.com/team/churn:7@sha256:…`. */
  readonly text: string;
  readonly host: string;
  /** `team/churn`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const HOST = /^(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9-]+(?=:))(?::\d{1,5})?$/;
const PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/;

/**
 * Takes the name of an image apart. A host must be there: which one is meant without it differs from cluster to cluster.
 * @throws IngotError `usage`, saying what is wrong.
 */
export function parseImageName(text: string, flag: string): ImageName {
  const refuse = (why: string): IngotError =>
    new IngotError('usage', `${flag} "${text.slice(0, 200)}": ${why}`, {
      hint: `${flag} registry.example.com/team/name:tag`,
    });
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) throw refuse('an image has no scheme before its name');
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) throw refuse('what follows @ is no digest');
  const slash = named.indexOf('/');
  const host = named.slice(0, Math.max(0, slash));
  if (!HOST.test(host)) throw refuse('the host of a registry comes first');
  const rest = named.slice(slash + 1);
  const colon = rest.lastIndexOf(':');
  const [repository, tag] = colon < 0 ? [rest, undefined] : [rest.slice(0, colon), rest.slice(colon + 1)];
  if (repository.length > 255 || !repository.split('/').every((part) => PART.test(part)))
    throw refuse('names are small letters and digits, with ".", "_", "-" and "/" between them');
  if (tag !== undefined && !TAG.test(tag)) throw refuse('what follows the last ":" is no tag');
  return { text, host, repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** The same image by its digest, which nobody can move; the tag stays for people to read. */
export function pinned(name: ImageName, digest: string): string {
  const tag = name.tag === undefined ? '' : `:${name.tag}`;
  return `${name.host}/${name.repository}${tag}@${digest}`;
}
