/**
 * Puts or gets a folder as most scripts do it, one request a file, with Amazon's own client:
 * `node one-request-a-file.mjs put|get BUCKET FOLDER CONNECTIONS`.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { dirname, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const [way, Bucket, folder, connections] = process.argv.slice(2);
const httpAgent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const client = new S3Client({ forcePathStyle: true, requestHandler: { httpAgent } });

function filesOf(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

async function keysOf() {
  const keys = [];
  let ContinuationToken;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'files/', ContinuationToken }));
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key.slice('files/'.length)));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return keys;
}

const put = (path) => client.send(new PutObjectCommand({ Bucket, Key: `files/${path}`, Body: readFileSync(join(folder, path)) }));

async function get(path) {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `files/${path}` }));
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), await Body.transformToByteArray());
}

const paths = (way === 'put' ? filesOf(folder) : await keysOf()).values();
const move = way === 'put' ? put : get;
const lane = async () => {
  for (const path of paths) await move(path);
};
await Promise.all(Array.from({ length: Number(connections) }, lane));
client.destroy();
