import { posix } from 'node:path';
import { isJsonObject } from '../../json.ts';
import { readPickle } from '../pickle-globals.ts';
import type { Detector } from './flavor.ts';
import { nameOf } from './pickles.ts';

const SNIFF_BYTES = 256 * 1024;

/** Recognises a folder that spaCy wrote: `meta.json` beside `config.cfg`. It says which versions of spaCy it fits. */
export const detectSpacy: Detector = async ({ files, json, file }) => {
  const folders = files
    .filter(({ path }) => posix.basename(path) === 'config.cfg')
    .map(({ path }) => posix.dirname(path));
  const folder = folders.sort((a, b) => a.length - b.length).find((path) => file(posix.join(path, 'meta.json')));
  if (folder === undefined) return undefined;
  const meta = await json(posix.join(folder, 'meta.json'));
  if (!isJsonObject(meta) || typeof meta.spacy_version !== 'string') return undefined;
  const components = Array.isArray(meta.pipeline) ? meta.pipeline.join(', ') : '';
  return {
    flavor: 'spacy',
    artifact: folder,
    from: `the files ${posix.join(folder, 'meta.json')} and config.cfg`,
    executesCode: false,
    requirements: [/^[<>=!~]/.test(meta.spacy_version) ? `spacy${meta.spacy_version}` : 'spacy'],
    understood: [
      { what: 'model', value: `pipeline of ${components || 'a tokenizer'}`, from: posix.join(folder, 'meta.json') },
    ],
    signature: { inputs: [{ name: 'text', type: 'string' }], outputs: [], origin: 'captured', partial: true },
  };
};

/** Recognises what gensim's `save` wrote: a pickle of one of its classes under any name. */
export const detectGensim: Detector = async ({ artifacts, pickles, read }) => {
  const told = pickles.find(({ summary }) => summary.root?.module.startsWith('gensim.') === true);
  const unknown = artifacts.filter(({ path }) =>
    /(?:\.(?:model|gensim|kv|w2v|d2v|ft|lda|bin|vectors)|\/[^./]+|^[^./]+)$/i.test(path),
  );
  for (const file of told === undefined ? unknown.slice(0, 8) : []) {
    const start = await read(file, 2);
    const summary = start[0] === 0x80 ? readPickle(await read(file, SNIFF_BYTES)) : undefined;
    if (summary?.root?.module.startsWith('gensim.') === true)
      return {
        flavor: 'gensim',
        artifact: file.path,
        from: `the class ${nameOf(summary)} that ${file.path} names`,
        requirements: ['gensim'],
        executesCode: true,
      };
  }
  return (
    told && {
      flavor: 'gensim',
      artifact: told.path,
      from: `the class ${nameOf(told.summary)} that ${told.path} names`,
      requirements: ['gensim'],
      executesCode: true,
    }
  );
};

/** Recognises an annoy index by its name; what it does not say of itself has to be written down. */
export const detectAnnoy: Detector = ({ artifacts }) => {
  const file = artifacts.find(({ path }) => /\.(?:ann|annoy)$/i.test(path));
  return (
    file && {
      flavor: 'annoy',
      artifact: file.path,
      from: `the name of ${file.path}`,
      requirements: ['annoy', 'numpy'],
      executesCode: false,
      problems: [
        {
          severity: 'warning',
          rule: 'flavor.no-dimension',
          message: `an annoy index says neither its dimension nor its metric, so ${file.path} can be stored but not served`,
          file: file.path,
          fix: `put flavor.json beside it: {"flavor": "annoy", "artifact": "${file.path}", "dimension": 100, "metric": "angular"}`,
        },
      ],
    }
  );
};
