import { describe, expect, it } from 'vitest';
import { checkClock } from './check-machine.ts';

describe('checkClock', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21) + seconds * 1000);
  const asked = { from: at(0.9), to: at(6) };

  it('does not take the time that trying a storage takes for a difference between clocks', () => {
    for (const storage of [at(0), at(3), at(6)])
      expect(checkClock(storage, asked)).toMatchObject({ status: 'ok', message: "agrees with the storage's clock" });
  });

  it('says how far off a clock is, and fails beyond five minutes', () => {
    expect(checkClock(at(17), asked)).toMatchObject({ status: 'ok', message: "10.0 s from the storage's clock" });
    for (const storage of [at(-400), at(400)]) expect(checkClock(storage, asked).status).toBe('failed');
  });
});
