/** How numbers stand in tables. */
import { MEBIBYTE } from './folders.mjs';

/** Seconds, two digits. */
export const seconds = (value) => value.toFixed(2);

/** Bytes as whole MiB. */
export const mebibytes = (bytes) => (bytes / MEBIBYTE).toFixed(0);

/** How much room a directory's disk has, in words of the sizes that suites take: `5 GiB`, `256 MiB`. */
export const sizeName = (mebibytesOf) => (mebibytesOf % 1024 === 0 ? `${mebibytesOf / 1024} GiB` : `${mebibytesOf} MiB`);
