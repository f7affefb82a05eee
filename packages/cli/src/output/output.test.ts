import { ERROR_CODES, IngotError } from '@ingot/core/errors';
import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from './exit-code.ts';
import { errorDocument, formatError, toIngotError } from './format-error.ts';
import { betterOf, headlineMetric } from './metrics.ts';
import { openProgress } from './progress.ts';
import { formatTable, visibleLength } from './table.ts';
import { openOutput, plain, tableWidth } from './terminal.ts';
import { formatAge, formatBytes, formatDuration, formatNumber, parseBytes } from './units.ts';

const plainColors = picocolors.createColors(false);

/** A stream that keeps what was written. */
function paper(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, columns: 80, write: (text: string) => written.push(text) };
  return { written, output: openOutput(stream, { allowed: true }) };
}

describe('exit codes', () => {
  it('give every error code a status of the contract', () => {
    expect(new Set(ERROR_CODES.map(exitCodeOf))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 130]));
    expect(exitCodeOf('alias-not-found')).toBe(3);
    expect(exitCodeOf('tampered')).toBe(8);
  });
});

describe('formatError', () => {
  it('says what failed, the nearest name and the command that fixes it', () => {
    const error = new IngotError('alias-not-found', 'model "churn" has no alias "prodction"', {
      nearest: 'churn@production',
      hint: 'ingot alias ls churn',
    });
    expect(formatError(error, plainColors)).toBe(
      'error[alias-not-found]: model "churn" has no alias "prodction"\n  did you mean  churn@production ?\n  try           ingot alias ls churn\n',
    );
  });

  it('shows a stack only when debugging', () => {
    const error = toIngotError(new TypeError('x is not a function'));
    expect(formatError(error, plainColors)).not.toContain('    at ');
    expect(formatError(error, plainColors, { debug: true })).toContain('    at ');
  });

  it('calls a full disk and a missing file by their names', () => {
    const failure = (code: string) => toIngotError(Object.assign(new Error(code), { code, path: '/x' })).code;
    expect([failure('ENOSPC'), failure('ENOENT'), failure('EACCES'), failure('EWHAT')]).toEqual([
      'disk-full',
      'path-not-found',
      'forbidden',
      'unexpected',
    ]);
  });

  it('keeps control characters of a message from the terminal', () => {
    expect(formatError(new IngotError('usage', 'a\u001b[2Jb'), plainColors)).toBe('error[usage]: a\uFFFD[2Jb\n');
    expect(plain('x\u202ey')).toBe('x\uFFFDy');
  });

  it('gives the same facts as a document', () => {
    const error = new IngotError('unavailable', 'no answer', { operation: 'blob.read' });
    expect(errorDocument(error)).toMatchObject({
      error: { code: 'unavailable', operation: 'blob.read', retryable: true, details: {} },
    });
  });
});

describe('units', () => {
  it('write sizes with two digits at least', () => {
    expect([0, 999, 1000, 1234, 48_000_000, 999_600].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.2 kB',
      '48 MB',
      '1.0 MB',
    ]);
  });

  it('read sizes back and refuse what is none', () => {
    expect([parseBytes('20GB'), parseBytes('1.5 MiB'), parseBytes('7')]).toEqual([2e10, 1_572_864, 7]);
    expect(() => parseBytes('many')).toThrow('"many" is not a size');
  });

  it('write ages and numbers', () => {
    const now = new Date('2026-01-02T00:00:00Z');
    expect([formatAge('2026-01-01T22:00:00Z', now), formatAge('2026-01-02T00:00:00Z', now)]).toEqual([
      '2 h ago',
      'just now',
    ]);
    expect([formatNumber(0.97123456), formatNumber(3), formatNumber(0.0000123)]).toEqual(['0.9712', '3', '0.0000123']);
  });
});

describe('formatTable', () => {
  it('aligns columns, leaves out empty ones and cuts at the width', () => {
    const columns = [{ title: 'NAME' }, { title: 'NONE' }, { title: 'N', align: 'right' as const }];
    const rows = [
      ['churn', '', '10'],
      ['wine', '', '9'],
    ];
    expect(formatTable(columns, rows, { width: 80, colors: plainColors })).toBe('NAME    N\nchurn  10\nwine    9\n');
    expect(formatTable(columns, rows, { width: 6, colors: plainColors, header: false })).toBe('churn…\nwine …\n');
  });

  it('counts what the eye sees, not the bytes of colors', () => {
    expect(visibleLength('\u001b[1mab\u001b[22m')).toBe(2);
    expect(visibleLength('模型')).toBe(4);
  });
});

describe('metrics', () => {
  it('know which way is better by the name', () => {
    expect([
      betterOf('auc', 0.9, 0.95),
      betterOf('log_loss', 0.9, 0.95),
      betterOf('rows', 1, 2),
      betterOf('auc', 1, 1),
    ]).toEqual(['b', 'a', null, null]);
    expect(headlineMetric({ brier: 0.1, auc: 0.9 })).toBe('auc');
  });
});

describe('formatDuration', () => {
  it('uses two units at most', () => {
    expect([0, 59.4, 61, 3599, 7500].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 1 s',
      '59 min 59 s',
      '2 h 5 min',
    ]);
  });
});

describe('progress', () => {
  const event = (path: string, doneBytes: number) => ({ phase: 'store', path, doneBytes, totalBytes: 100 }) as const;

  it('writes one line every five seconds where there is no terminal', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    for (now = 0; now <= 12_000; now += 1000) onProgress(event('a', now / 250));
    expect(written).toEqual([
      'storing 1 file  20 B of 100 B  4 B/s  20 s left\n',
      'storing 1 file  40 B of 100 B  4 B/s  15 s left\n',
    ]);
  });

  it('waits for 5 seconds of work, not for 5 seconds between one work and the next', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    const work = (path: string, atMs: number) => {
      now = atMs;
      for (const doneBytes of [0, 100]) onProgress(event(path, doneBytes));
    };
    work('first', 0);
    work('second', 60_000);
    expect(written).toEqual([]);
    now = 120_000;
    onProgress(event('third', 0));
    now = 125_000;
    onProgress(event('third', 50));
    expect(written).toHaveLength(1);
  });

  it('says of all files what was moved, what was there, how fast it goes and when it is done', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    const fetched = (path: string, newBytes: number, storedBytes: number) =>
      onProgress({
        phase: 'fetch',
        path,
        doneBytes: newBytes + storedBytes,
        totalBytes: 500_000_000,
        newBytes,
        storedBytes,
      });
    for (const path of ['a', 'b']) fetched(path, 0, 0);
    for (now = 1000; now <= 5000; now += 1000) fetched('a', now * 10_000, now * 40_000);
    expect(written).toEqual([
      'fetching 2 files  250 MB of 1.0 GB  50 MB/s  15 s left  50 MB new, 200 MB already here\n',
    ]);
  });

  it('does not count what a check looks at as files', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    const checked = { phase: 'check', doneBytes: 0, totalBytes: 0 } as const;
    onProgress({ ...checked, path: 'versions', message: '3' });
    for (now = 1000; now <= 5000; now += 1000)
      onProgress({ ...checked, path: 'packs', doneBytes: now, totalBytes: 9000 });
    expect(written).toEqual(['checking packs  5.0 kB of 9.0 kB  1.0 kB/s  4 s left\n']);
  });

  it('tells no rate below zero when something begins again', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    const checked = (doneBytes: number) =>
      onProgress({ phase: 'check', path: 'packs', doneBytes, totalBytes: 100_000_000 });
    for (now = 0; now <= 4000; now += 1000) checked(now * 25_000);
    for (now = 5000; now <= 6000; now += 1000) checked((now - 4000) * 10_000);
    for (now = 7000; now <= 10_000; now += 1000) checked((now - 4000) * 10_000);
    expect(written).toEqual([
      'checking packs  10 MB of 100 MB\n',
      'checking packs  60 MB of 100 MB  10 MB/s  4 s left\n',
    ]);
  });

  it('does not foretell hours from the first bytes', () => {
    const { written, output } = paper(false);
    let now = 0;
    const { onProgress } = openProgress(output, () => now);
    const stored = (doneBytes: number) =>
      onProgress({ phase: 'store', path: 'weights.bin', doneBytes, totalBytes: 200_000_000 });
    stored(0);
    now = 5000;
    stored(217);
    expect(written).toEqual(['storing 1 file  217 B of 200 MB  43 B/s\n']);
  });

  it('draws a bar for the file and one for the total on a terminal, and removes them', () => {
    const { written, output } = paper(true);
    let now = 0;
    const { onProgress, clear } = openProgress(output, () => now);
    onProgress(event('a', 100));
    now = 1000;
    onProgress(event('b', 50));
    expect(written.at(-1)).toMatch(
      /storing b.*50 B of 100 B\n.*storing 2 files {2}150 B of 200 B {2}50 B\/s {2}1 s left\n/,
    );
    clear();
    expect(written.at(-1)).toBe('\u001b[1A\u001b[2K\u001b[1A\u001b[2K\r');
  });

  it('writes nothing when silent', () => {
    const { written, output } = paper(true);
    openProgress(output, () => 0, { silent: true }).onProgress(event('a', 1));
    expect(written).toEqual([]);
  });
});

it('lines of tables are as wide as the terminal, and whole where there is none', () => {
  const stream = { write: () => {}, columns: 80 };
  expect(tableWidth(openOutput({ ...stream, isTTY: true }, { allowed: true }))).toBe(80);
  expect(tableWidth(openOutput(stream, { allowed: true }))).toBe(Number.POSITIVE_INFINITY);
});
