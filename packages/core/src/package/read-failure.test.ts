import { describe, expect, it } from 'vitest';
import { readFailure } from './read-failure.ts';

const system = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'scandir' });

describe('a file that could not be read', () => {
  it.each(['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT'])(
    'is no fault of the package when the machine says %s',
    (code) => {
      const failure = readFailure(system(code), 'churn/model.pkl');
      expect(failure).toMatchObject({ code: 'unavailable' });
      expect(failure?.message).toContain(code);
      expect(failure?.message).toContain('churn/model.pkl');
      expect(failure?.hint).toBeTruthy();
    },
  );

  it.each(['EACCES', 'EPERM', 'ENOENT', 'EISDIR'])('may be at fault itself when the machine says %s', (code) => {
    expect(readFailure(system(code), 'churn/model.pkl')).toBeUndefined();
  });
});
