import { readFile } from 'node:fs/promises';
import { systemErrorCode } from '../errors.ts';
import type { Problem } from './package.ts';
import type { Parts } from './parts.ts';
import { readFailure } from './read-failure.ts';
import type { SourceFile } from './source-file.ts';

const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** The texts of the parts that people write. */
export interface PartTexts {
  readonly interface?: string;
  readonly metadata?: string;
  readonly requirements?: string;
  readonly pythonVersion?: string;
  readonly problems: readonly Problem[];
}

/** Reads the parts that are text; what is too large, unreadable or not UTF-8 is a problem and no text. */
export async function readPartTexts(parts: Parts): Promise<PartTexts> {
  const problems: Problem[] = [];
  const read = async (file: SourceFile | undefined): Promise<string | undefined> => {
    if (file === undefined) return undefined;
    const at = { severity: 'error', file: file.path } as const;
    if (file.sizeBytes > MAX_TEXT_BYTES) {
      problems.push({
        ...at,
        rule: 'package.part-too-large',
        message: `${file.path} is larger than 4 MiB`,
        fix: 'keep data in files of its own',
      });
      return undefined;
    }
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file.absolute));
    } catch (error) {
      if (systemErrorCode(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
        problems.push({
          ...at,
          rule: 'package.part-not-utf8',
          message: `${file.path} is not UTF-8 text`,
          fix: 'save it as UTF-8 (PowerShell: Out-File -Encoding utf8)',
        });
      } else {
        const failure = readFailure(error, file.path);
        if (failure !== undefined) throw failure;
        problems.push({
          ...at,
          rule: 'path.unreadable',
          message: `${file.path} cannot be read (${systemErrorCode(error) ?? 'unknown error'})`,
        });
      }
      return undefined;
    }
  };
  return {
    interface: await read(parts.interface),
    metadata: await read(parts.metadata),
    requirements: await read(parts.requirements),
    pythonVersion: await read(parts.pythonVersion),
    problems,
  };
}
