import { expect, it } from 'vitest';
import { type Addressed, isLoopback, Origins } from './origins.ts';

const asked = (over: Partial<Addressed>): Addressed => ({
  host: 'localhost:8585',
  origin: undefined,
  fetchSite: undefined,
  isNavigation: false,
  localAddress: '127.0.0.1',
  ...over,
});
const refuses = (origins: Origins, over: Partial<Addressed>): boolean => {
  try {
    origins.check(asked(over));
    return false;
  } catch {
    return true;
  }
};

it('answers to the names of loopback and those that are allowed, and to no others', () => {
  const origins = new Origins(['Models.Example.com']);
  for (const host of ['localhost', '127.0.0.1:1', '[::1]:8585', 'models.example.com:443'])
    expect(refuses(origins, { host }), host).toBe(false);
  for (const host of [
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    'localhost:8585@evil.example',
    'localhost:8585:1',
    'localhost:',
    '127.0.0.1.evil.example',
    'models.example.com.',
    '0',
    '2130706433',
    '127.1',
  ])
    expect(refuses(origins, { host }), String(host)).toBe(true);
});

it('answers to the address that the connection came to, which no name server can forge', () => {
  const origins = new Origins([]);
  expect(refuses(origins, { host: '10.0.0.5:8585', localAddress: '::ffff:10.0.0.5' })).toBe(false);
  expect(refuses(origins, { host: '10.0.0.6:8585', localAddress: '10.0.0.5' })).toBe(true);
});

it('refuses pages of other sites, whatever they ask, and follows links from there', () => {
  const origins = new Origins([]);
  for (const origin of [
    'http://evil.example',
    'null',
    'http://localhost:9999',
    'http://localhost:8585@evil.example',
    'localhost:8585',
  ])
    expect(refuses(origins, { origin }), origin).toBe(true);
  expect(refuses(origins, { origin: 'http://localhost:8585' })).toBe(false);
  expect(refuses(origins, { fetchSite: 'cross-site' })).toBe(true);
  expect(refuses(origins, { fetchSite: 'cross-site', isNavigation: true })).toBe(false);
});

it('knows which addresses only this machine reaches', () => {
  expect(['127.0.0.1', '127.3.2.1', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.evil.example', '1270.0.0.1'].some(isLoopback)).toBe(false);
});
