import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { AllowedHosts, isPrivateAddress } from './private-addresses.ts';
import { checkWebhookUrl, send } from './send.ts';

test('only addresses of the public internet are public', () => {
  const open = ['8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1'];
  const closed = ['127.0.0.1', '0.0.0.0', '100.64.0.1', '192.168.1.1', '255.255.255.255', '::', '::1', '::127.0.0.1'];
  const more = [
    '::ffff:7f00:1',
    'fe80::1%eth0',
    'fc00::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '64:ff9b::7f00:1',
    'x',
  ];
  for (const address of open) expect([address, isPrivateAddress(address)]).toEqual([address, false]);
  for (const address of [...closed, ...more]) expect([address, isPrivateAddress(address)]).toEqual([address, true]);
});

test('names, addresses and networks can be allowed', () => {
  const allowed = new AllowedHosts(['hooks.internal', '10.1.0.0/16']);
  expect(checkWebhookUrl('http://hooks.internal/x', allowed).host).toBe('hooks.internal');
  expect(checkWebhookUrl('http://10.1.2.3/x', allowed).host).toBe('10.1.2.3');
  expect(() => checkWebhookUrl('https://10.2.0.1/x', allowed)).toThrow(/private/);
  expect(() => checkWebhookUrl('http://93.184.216.34/x', allowed)).toThrow(/https/);
});

type Lookup = NonNullable<Parameters<typeof send>[1]['lookup']>;

/** A name that means these addresses, one after the other: DNS rebinding. */
function names(...addresses: string[]): { lookup: Lookup; asked: () => number } {
  let asked = 0;
  const lookup = ((_name: string, _options: object, callback: (error: null, found: object[]) => void) => {
    const address = addresses[Math.min(asked, addresses.length - 1)] ?? '';
    asked += 1;
    callback(null, [{ address, family: 4 }]);
  }) as Lookup;
  return { lookup, asked: () => asked };
}

test('a name that has a private address is not called, and what was checked is what is called', async () => {
  let calls = 0;
  const server = createServer((_request, reply) => {
    calls += 1;
    reply.end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const post = { url: `http://hooks.example:${port}/`, headers: {}, body: '{}' };
  const byNetwork = new AllowedHosts(['hooks.example']);
  const rebinding = names('127.0.0.1', '127.0.0.2');
  expect(await send(post, { allowed: byNetwork, lookup: rebinding.lookup })).toMatchObject({
    status: 200,
    text: 'hello',
  });
  expect([calls, rebinding.asked()]).toEqual([1, 1]);
  const refused = send(
    { ...post, url: `https://hooks.example:${port}/` },
    { allowed: new AllowedHosts([]), lookup: names('127.0.0.1').lookup },
  );
  await expect(refused).rejects.toMatchObject({ code: 'refused' });
  expect(calls).toBe(1);
  await new Promise((resolve) => server.close(resolve));
});
