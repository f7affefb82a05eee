import { isJsonObject, type JsonObject } from '../../json.ts';
import type { Inference } from '../package.ts';
import type { SourceFile } from '../source-file.ts';
import type { Detected, Detector, Glance } from './flavor.ts';

const TAIL_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const CENTRAL_ENTRY = 0x02014b50;

/** Recognises TorchScript, exported programs and checkpoints by the names in their archives, and bare safetensors. */
export const detectTorch: Detector = async (glance) => {
  for (const file of glance.artifacts
    .filter(({ path }) => /\.(?:pt2?|pth|ckpt|torchscript)$/i.test(path))
    .slice(0, 8)) {
    const found = archived(file, await entryNames(glance, file));
    if (found !== undefined) return found;
  }
  const file = glance.artifacts.find(({ path }) => /\.safetensors$/i.test(path));
  return file && (await weights(glance, file));
};

/** What an archive of torch is, by the names of its entries: a program, an exported graph, or pickled tensors. */
function archived(file: SourceFile, names: readonly string[]): Detected | undefined {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const shared = { flavor: 'torch' as const, artifact: file.path, requirements: ['torch', 'numpy'] };
  if (has(/(?:^|\/)(?:archive_format|serialized_exported_program\.json)$/) || has(/(?:^|\/)models\/[^/]+\.json$/))
    return { ...shared, from: `the exported program ${file.path}`, executesCode: true };
  if (has(/\/constants\.pkl$/) && has(/\/code\//))
    return { ...shared, from: `the TorchScript archive ${file.path}`, executesCode: true };
  if (!has(/(?:^|\/)data\.pkl$/)) return undefined;
  const lightning = /\.ckpt$/i.test(file.path);
  return {
    ...shared,
    requirements: lightning ? ['torch', 'numpy', 'lightning'] : shared.requirements,
    from: `the ${lightning ? 'checkpoint' : 'torch.save archive'} ${file.path}`,
    executesCode: true,
    problems: [
      {
        severity: 'warning',
        rule: 'torch.weights-only',
        message: `${file.path} may hold weights and no architecture: then it can be stored and loaded, but not served`,
        file: file.path,
        fix: 'push the module itself from Python, or export it: torch.export.save(torch.export.export(model, example), "model.pt2")',
      },
    ],
  };
}

/** Names in the central directory of a zip file, read from its end; none for what is no zip file. */
async function entryNames({ read }: Glance, file: SourceFile): Promise<string[]> {
  const start = await read(file, 4);
  if (start.length < 4 || start.readUInt32LE(0) !== 0x04034b50) return [];
  const tail = await read(file, TAIL_BYTES, -Math.min(TAIL_BYTES, file.sizeBytes));
  const names: string[] = [];
  for (let at = tail.indexOf('PK\x01\x02', 0, 'latin1'); at >= 0; ) {
    if (at + 46 > tail.length || tail.readUInt32LE(at) !== CENTRAL_ENTRY) break;
    const length = tail.readUInt16LE(at + 28);
    names.push(tail.toString('utf8', at + 46, at + 46 + length));
    at += 46 + length + tail.readUInt16LE(at + 30) + tail.readUInt16LE(at + 32);
  }
  return names;
}

async function weights(glance: Glance, file: SourceFile): Promise<Detected | undefined> {
  const header = await safetensorsHeader(glance, file);
  if (header === undefined) return undefined;
  const tensors = Object.values(header).filter((entry) => isJsonObject(entry) && typeof entry.dtype === 'string');
  const types = new Set(tensors.flatMap((entry) => (isJsonObject(entry) ? [String(entry.dtype)] : [])));
  return {
    flavor: 'torch',
    artifact: file.path,
    from: `the header of ${file.path}`,
    requirements: ['torch', 'safetensors', 'numpy'],
    executesCode: false,
    understood: [
      { what: 'weights', value: `${tensors.length} tensors of ${[...types].sort().join(', ')}`, from: file.path },
      ...told(header, file.path),
    ],
    problems: [
      {
        severity: 'warning',
        rule: 'torch.weights-only',
        message: `${file.path} holds weights and no architecture, so it can be stored and loaded, but not served`,
        file: file.path,
        fix: 'push the module itself from Python, or the folder that save_pretrained wrote',
      },
    ],
  };
}

function told(header: JsonObject, from: string): Inference[] {
  const metadata = header.__metadata__;
  const format = isJsonObject(metadata) ? metadata.format : undefined;
  return typeof format === 'string' ? [{ what: 'format', value: format, from }] : [];
}

/** The header of a safetensors file: its length, then JSON. Undefined for anything that is none. */
export async function safetensorsHeader({ read }: Glance, file: SourceFile): Promise<JsonObject | undefined> {
  const start = await read(file, 9);
  if (start.length < 9 || start[8] !== '{'.charCodeAt(0)) return undefined;
  const length = Number(start.readBigUInt64LE(0));
  if (length > MAX_HEADER_BYTES || length + 8 > file.sizeBytes) return undefined;
  try {
    const parsed: unknown = JSON.parse((await read(file, length, 8)).toString('utf8'));
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    // Named like one, and none: stored as it is.
    return undefined;
  }
}
