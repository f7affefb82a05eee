import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseIndexPage } from './index-page.ts';

const HERE = new URL('https://files.example.com/store/models/');
const names = (html: string) =>
  parseIndexPage(html, HERE)?.map(({ segment, isDirectory }) => (isDirectory ? `${segment}/` : segment));

describe('an index page', () => {
  test('of Apache, with its sorting links and parent directory, gives its names', () => {
    const html = `<html><head><title>Index of /store/models</title></head><body><h1>Index of /store/models</h1>
      <table><tr><th><a href="?C=N;O=D">Name</a></th></tr><tr><td><a href="/store/">Parent Directory</a></td></tr>
      <tr><td><a href="churn-0a/">churn-0a/</a></td></tr><tr><td><a href="a%2541.json">a%41.json</a></td></tr></table>`;
    assert.deepEqual(names(html), ['churn-0a/', 'aA.json']);
  });

  test('of nginx and of Python give theirs, absolute or relative', () => {
    assert.deepEqual(
      names(`<h1>Index of /store/models/</h1><pre><a href="../">../</a>\n<a href="x.pack">x.pack</a></pre>`),
      ['x.pack'],
    );
    assert.deepEqual(
      names(
        `<title>Directory listing for /store/models/</title><li><a href="/store/models/y.json">y.json</a></li><li><a href='z/'>z/</a></li>`,
      ),
      ['y.json', 'z/'],
    );
  });

  test('names nothing of other hosts or directories, nothing hidden, and nothing that no key has', () => {
    const html = `<title>Index of /</title><a href="https://evil.example.com/store/models/x">x</a><a href="//evil.example.com/y">y</a>
      <a href="/etc/passwd">p</a><a href=".tmp/">t</a><a href="Capital.json">c</a><a href="%zz">z</a><a href="a/b">ab</a>`;
    assert.deepEqual(names(html), []);
  });

  test("is not some site's own page", () => {
    assert.equal(names('<title>Our models</title><a href="churn/">churn</a>'), undefined);
  });
});
