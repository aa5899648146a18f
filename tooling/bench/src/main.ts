/**
 * `npm run bench -- --world sqlite --json`: the command line. Progress goes to stderr, the result to stdout: one JSON
 * object in one line with `--json`, else the same indented.
 */
import { parseArgs } from "node:util";
import { measure } from "./measure.ts";
import { sizesAt } from "./sizes.ts";
import { worlds } from "./worlds.ts";

const usage = `usage: npm run bench -- [--world ${Object.keys(worlds).join("|")}] [--json] [--scale N]
  --world   the store to measure (default sqlite)
  --json    print the result as one JSON object in the last line
  --scale   share of the full work, for a quick look (default 1; other figures are no benchmark)`;

try {
  const { values } = parseArgs({
    options: {
      world: { type: "string", default: "sqlite" },
      json: { type: "boolean", default: false },
      scale: { type: "string", default: "1" },
    },
  });
  const world = Object.hasOwn(worlds, values.world) ? worlds[values.world] : undefined;
  if (world === undefined) {
    throw new TypeError(`There is no World "${values.world}" here.\n${usage}`);
  }
  const result = await measure(world, sizesAt(Number(values.scale)), (line) => {
    process.stderr.write(`${line}\n`);
  });
  process.stdout.write(`${JSON.stringify(result, null, values.json ? 0 : 2)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof TypeError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
