import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

/** A blob or manifest as a manifest names it. */
export interface Named {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

/** Who asks, for requests of one server. */
export interface OciClient {
  ask(method: string, path: string, init?: RequestInit): Promise<Response>;
  /** Pushes a blob and says how a manifest names it. */
  blob(repository: string, bytes: Uint8Array | string, mediaType?: string): Promise<Named>;
  /** Pushes a manifest under a tag or digest; gives the answer. */
  put(repository: string, reference: string, manifest: Uint8Array | string | object, type?: string): Promise<Response>;
  /** Code of an error's answer. */
  code(answer: Response): Promise<string>;
  json(path: string): Promise<Answer>;
}

/** What answers of lists say. */
export interface Answer {
  readonly tags?: readonly string[];
  readonly name?: string;
  readonly repositories?: readonly string[];
  readonly manifests?: readonly Named[];
  readonly layers?: readonly Named[];
  readonly errors?: readonly { readonly code: string; readonly message: string }[];
  readonly [key: string]: unknown;
}

/** Types that manifests and their parts have. */
export const TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  empty: 'application/vnd.oci.empty.v1+json',
  model: 'application/vnd.cncf.model.manifest.v1+json',
  modelConfig: 'application/vnd.cncf.model.config.v1+json',
  weight: 'application/vnd.cncf.model.weight.v1.raw',
} as const;

/** The digest of some bytes. */
export const digestOf = (bytes: Uint8Array | string, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

/** Names a manifest for an index or as a subject. */
export const named = (manifest: object, mediaType: string = TYPES.manifest): Named => {
  const text = JSON.stringify(manifest);
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
};

/** What an answer says. */
export async function answerOf(answer: Response): Promise<Answer> {
  return JSON.parse(await answer.text());
}

/** Makes a client. */
export function ociClient(url: string, authorization?: string): OciClient {
  const ask: OciClient['ask'] = (method, path, init = {}) => {
    const headers = new Headers(init.headers);
    if (authorization !== undefined && !headers.has('authorization')) headers.set('authorization', authorization);
    return fetch(`${url}/v2/${path}`, { ...init, method, headers, redirect: 'manual' });
  };
  return {
    ask,
    blob: async (repository, bytes, mediaType = 'application/octet-stream') => {
      const body = Buffer.from(bytes);
      const digest = digestOf(body);
      const answer = await ask('POST', `${repository}/blobs/uploads/?digest=${digest}`, {
        body,
        headers: { 'content-type': 'application/octet-stream' },
      });
      assert.equal(answer.status, 201, await answer.text());
      return { mediaType, digest, size: body.byteLength };
    },
    put: (repository, reference, manifest, type = TYPES.manifest) => {
      const isText = typeof manifest === 'string' || manifest instanceof Uint8Array;
      const body = isText ? Buffer.from(manifest) : JSON.stringify(manifest);
      return ask('PUT', `${repository}/manifests/${reference}`, { body, headers: { 'content-type': type } });
    },
    code: async (answer) => {
      const { errors: [error] = [] } = await answerOf(answer);
      return `${answer.status} ${error?.code}`;
    },
    json: async (path) => await answerOf(await ask('GET', path)),
  };
}

/** Pushes an image of one config and one layer, without its manifest; gives that. */
export async function imageIn(client: OciClient, repository: string, text: string, extra: object = {}) {
  const config = await client.blob(repository, `{"architecture":"amd64","os":"linux","of":"${text}"}`, TYPES.config);
  const layer = await client.blob(repository, `layer of ${text}`, TYPES.layer);
  return { schemaVersion: 2, mediaType: TYPES.manifest, config, layers: [layer], ...extra };
}

/** Pushes the files of a model, one layer each, without its manifest; gives that. */
export async function modelIn(
  client: OciClient,
  repository: string,
  files: Readonly<Record<string, Uint8Array | string>>,
) {
  const layers: Named[] = [];
  for (const [path, bytes] of Object.entries(files)) {
    const blob = await client.blob(repository, bytes, TYPES.weight);
    layers.push({ ...blob, annotations: { 'org.cncf.model.filepath': path } });
  }
  const diffIds = layers.map(({ digest }) => digest);
  const text = JSON.stringify({ descriptor: {}, config: {}, modelfs: { type: 'layers', diffIds } });
  const config = await client.blob(repository, text, TYPES.modelConfig);
  return { schemaVersion: 2, mediaType: TYPES.manifest, artifactType: TYPES.model, config, layers };
}
