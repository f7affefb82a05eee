import { IMAGE_PLACES } from './image-places.ts';

/**
 * The health check of an image, in which there may be neither curl nor a shell: asks the server of this container whether
 * it is ready, and ends with 0 or 1. The server's port is that of `INGOT_PORT`, its address that of `INGOT_HOST`.
 */
export const HEALTH_CHECK_PROGRAM = `#!/${IMAGE_PLACES.programs}/node
const http = require('node:http');
const { argv, env, exit, stderr } = require('node:process');
const port = Number(env.INGOT_PORT || 8080);
const isAny = /^(?:0\\.0\\.0\\.0|::|\\*)?$/.test(env.INGOT_HOST || '');
const options = { host: isAny ? '127.0.0.1' : env.INGOT_HOST, port, path: argv[2] || '/v2/health/ready', timeout: 5000 };
const end = (status, why) => {
  if (why) stderr.write(why + '\\n');
  exit(status);
};
http
  .get(options, ({ statusCode }) => (statusCode === 200 ? end(0) : end(1, 'answered ' + statusCode)))
  .on('timeout', () => end(1, 'no answer within 5 s'))
  .on('error', (error) => end(1, error.message));
`;
