/**
 * What the OpenAPI document says of the routes of contents. They are registered beside the native API, because bodies of
 * packs are read as they come and their answers are no documents; so their operations are written by hand.
 */

const TAGS = ['contents'];
const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' } as const;
const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const object = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
});
const bytes = { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } };

const KEY = {
  name: 'key',
  in: 'path',
  required: true,
  description: '`packs/{upload}/{n}.pack`, `roots/uploads/{upload}/{n}.json`, or what lies in `gc/`; with its slashes.',
  schema: { type: 'string', minLength: 1, maxLength: 300 },
};

const RANGE = { name: 'Range', in: 'header', required: false, description: 'One range of bytes.', schema: text };

const LENGTH = {
  name: 'Content-Length',
  in: 'header',
  required: true,
  description: 'Bytes of the body.',
  schema: count,
};

const piece = object({ digest, pack: text, offset: count, length: count, coding: text, sizeBytes: count }, [
  ...['digest', 'pack', 'offset', 'length'],
]);

const listing = object({ blobs: { type: 'array', items: object({ key: text, sizeBytes: count, modifiedAt: text }) } });

const read = {
  tags: TAGS,
  description: 'Of a pack that holds pieces of models which may not be read, those are zeros.',
  parameters: [KEY, RANGE],
};

/** An operation, without the problems that all answer with. */
interface Operation {
  readonly responses: Readonly<Record<string, object>>;
  readonly [key: string]: unknown;
}

const PATHS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/api/v1/blobs': {
    get: {
      operationId: 'listBlobs',
      tags: TAGS,
      summary: 'Lists the packs or roots of one upload, or what collections have condemned.',
      parameters: [
        { name: 'prefix', in: 'query', required: true, schema: { type: 'string', maxLength: 200 } },
        { name: 'after', in: 'query', required: false, schema: { type: 'string', maxLength: 300 } },
      ],
      responses: {
        200: {
          description: 'At most 1,000; `next` goes back as `after`.',
          ...json({ ...listing, properties: { ...listing.properties, next: text } }),
        },
      },
    },
  },
  '/api/v1/blobs/{key}': {
    get: {
      ...read,
      operationId: 'readBlob',
      summary: 'Reads a blob, or a part of it.',
      responses: {
        200: { description: 'All of it.', ...bytes },
        206: { description: 'The range.', ...bytes },
        416: { description: 'It has no such range.' },
      },
    },
    head: {
      ...read,
      operationId: 'statBlob',
      summary: 'Says how large a blob is.',
      responses: { 200: { description: 'It is there.' } },
    },
    put: {
      operationId: 'writeBlob',
      tags: TAGS,
      summary:
        'Takes a pack (64 MiB at most), or a root of an upload; an upload belongs to whoever writes to it first.',
      parameters: [KEY, LENGTH],
      requestBody: { required: true, ...bytes },
      responses: { 201: { description: 'It is there now.' } },
    },
    delete: {
      operationId: 'removeBlob',
      tags: TAGS,
      summary: 'Takes back what one’s own upload has written and no version relies on.',
      parameters: [KEY],
      responses: { 204: { description: 'It is gone.' } },
    },
  },
  '/api/v1/pieces': {
    post: {
      operationId: 'findPieces',
      tags: TAGS,
      summary: 'Says where pieces lie that need not be sent: of those in packs of models that may be read.',
      requestBody: {
        required: true,
        ...json(object({ digests: { type: 'array', items: digest, minItems: 1, maxItems: 512 } })),
      },
      responses: {
        200: { description: 'Those that are there.', ...json(object({ pieces: { type: 'array', items: piece } })) },
      },
    },
  },
  '/api/v1/direct': {
    post: {
      operationId: 'signAddress',
      tags: TAGS,
      summary: 'Gives an address of the storage itself for a pack, good for 15 minutes; nothing where it signs none.',
      requestBody: {
        required: true,
        ...json(object({ key: text, method: { enum: ['GET', 'PUT'] }, sizeBytes: count }, ['key', 'method'])),
      },
      responses: {
        200: {
          description: 'The request to send, or `{}`, or `throughServer`.',
          ...json({
            type: 'object',
            properties: {
              url: text,
              headers: { type: 'object', additionalProperties: text },
              expiresInSeconds: count,
              throughServer: { type: 'boolean' },
            },
          }),
        },
      },
    },
  },
};

/** The paths of contents for the OpenAPI document, each operation with the problems that any may answer with. */
export function contentPaths(problems: Readonly<Record<string, object>>): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(PATHS).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations).map(([method, operation]) => [
          method,
          { ...operation, responses: { ...operation.responses, ...problems } },
        ]),
      ),
    ]),
  );
}
