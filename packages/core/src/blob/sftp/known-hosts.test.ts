import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'vitest';
import { KnownHosts } from './known-hosts.ts';

const ED = keyOf('ssh-ed25519', 1);
const OTHER_ED = keyOf('ssh-ed25519', 2);
const RSA = keyOf('ssh-rsa', 3);
const line = (hosts: string, key: Buffer, type = 'ssh-ed25519') =>
  `${hosts} ${type} ${key.toString('base64')} comment\n`;

describe('known hosts', () => {
  test('know a host by name and port, in any case, and nobody else', () => {
    const hosts = new KnownHosts(
      `# ours\n\n${line('files.example.com,10.0.0.7', ED)}${line('[files.example.com]:2222', OTHER_ED)}`,
    );
    assert.equal(hosts.judge('files.example.com', 22, ED).kind, 'known');
    assert.equal(hosts.judge('FILES.example.com', 22, ED).kind, 'known');
    assert.equal(hosts.judge('10.0.0.7', 22, ED).kind, 'known');
    assert.equal(hosts.judge('files.example.com', 2222, OTHER_ED).kind, 'known');
    assert.equal(hosts.judge('files.example.com', 2222, ED).kind, 'changed');
    assert.equal(hosts.judge('example.com', 22, ED).kind, 'unknown');
    assert.equal(hosts.judge('10.0.0.70', 22, ED).kind, 'unknown');
  });

  test('that are hashed are found all the same', () => {
    const salt = Buffer.from('0123456789abcdefghij');
    const hash = createHmac('sha1', salt).update('[files.example.com]:2222').digest('base64');
    const hosts = new KnownHosts(line(`|1|${salt.toString('base64')}|${hash}`, ED));
    assert.equal(hosts.judge('files.example.com', 2222, ED).kind, 'known');
    assert.equal(hosts.judge('files.example.com', 22, ED).kind, 'unknown');
  });

  test('may be patterns, and exceptions from patterns', () => {
    const hosts = new KnownHosts(line('!old.example.com,*.example.com,10.0.0.?', ED));
    assert.equal(hosts.judge('new.example.com', 22, ED).kind, 'known');
    assert.equal(hosts.judge('old.example.com', 22, ED).kind, 'unknown');
    assert.equal(hosts.judge('10.0.0.7', 22, ED).kind, 'known');
    assert.equal(hosts.judge('10.0.0.17', 22, ED).kind, 'unknown');
    assert.equal(hosts.judge('exampleXcom', 22, ED).kind, 'unknown');
  });

  test('tell a changed key from a key of a type that nobody noted', () => {
    const hosts = new KnownHosts(line('files', ED));
    assert.equal(hosts.judge('files', 22, OTHER_ED).kind, 'changed');
    assert.equal(hosts.judge('files', 22, RSA).kind, 'unknown');
    assert.deepEqual(hosts.keyTypes('files', 22), ['ssh-ed25519']);
  });

  test('never accept a revoked key, nor an authority as a key', () => {
    const hosts = new KnownHosts(
      `@revoked ${line('*', ED)}${line('files', ED)}@cert-authority ${line('files', OTHER_ED)}`,
    );
    assert.equal(hosts.judge('files', 22, ED).kind, 'revoked');
    assert.notEqual(hosts.judge('files', 22, OTHER_ED).kind, 'known');
  });
});

function keyOf(type: string, seed: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.alloc(36, seed)]);
}
