import { join } from 'node:path';
import { isJsonObject, parseJson } from '../json.ts';
import { splitDigest } from '../oci/digest.ts';
import type { OciDigest } from '../oci/oci-place.ts';
import { readOr, replaceFile } from './layer-records.ts';

const MOST_REPOSITORIES = 8;

/**
 * Remembers which repositories of registries were given a blob, so that another one of the same registry can be lent it.
 * What is remembered wrongly costs a request: a registry that does not lend is sent the bytes.
 */
export class BlobLenders {
  readonly #directory: string;

  /** @param directory need not be there yet. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The name of another repository of the same registry that has a blob.
   * @param repository `ghcr.io/team/churn`; undefined where it is none of a registry.
   * @param known repositories that have it for certain.
   */
  async find(
    digest: OciDigest,
    repository: string | undefined,
    known: readonly string[] = [],
  ): Promise<string | undefined> {
    if (repository === undefined) return undefined;
    const host = repository.slice(0, repository.indexOf('/') + 1);
    const having = [...known, ...(await this.#read(digest))];
    return having.find((one) => one !== repository && one.startsWith(host))?.slice(host.length);
  }

  /** Remembers that a repository has a blob now. */
  async add(digest: OciDigest, repository: string | undefined): Promise<void> {
    if (repository === undefined) return;
    const before = await this.#read(digest);
    if (before[0] === repository) return;
    const repositories = [repository, ...before.filter((one) => one !== repository)].slice(0, MOST_REPOSITORIES);
    await replaceFile(this.#path(digest), JSON.stringify({ repositories }));
  }

  async #read(digest: OciDigest): Promise<readonly string[]> {
    const text = await readOr(this.#path(digest));
    const value = text === undefined ? undefined : parseJson(text);
    const listed = isJsonObject(value) && Array.isArray(value.repositories) ? value.repositories : [];
    return listed.filter((one) => typeof one === 'string');
  }

  #path(digest: OciDigest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#directory, `${algorithm}-${hex}.json`);
  }
}
