import type { Slot } from './slot.ts';

/**
 * Chooses what to unload so that the loaded versions fit into `limitBytes`: the longest unused first, never one that a
 * request holds, never `kept`. What cannot be helped stays above the limit.
 */
export function chooseEvictions(slots: Iterable<Slot>, limitBytes: number, kept: Slot): readonly Slot[] {
  const loaded = [...slots].filter((slot) => slot.isLoaded);
  let bytes = loaded.reduce((sum, slot) => sum + slot.memoryBytes, 0);
  const candidates = loaded.filter((slot) => slot !== kept && slot.leases === 0).sort((a, b) => a.usedAt - b.usedAt);
  const chosen: Slot[] = [];
  for (const slot of candidates) {
    if (bytes <= limitBytes) break;
    bytes -= slot.memoryBytes;
    chosen.push(slot);
  }
  return chosen;
}
