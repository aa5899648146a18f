import { delimiter, join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** An environment in which nothing of this repository is found, but the Node that runs this. */
export function alone(): NodeJS.ProcessEnv {
  const dirs = (process.env.PATH ?? "").split(delimiter).filter((dir) => !dir.startsWith(root));
  return { ...process.env, NODE_PATH: "", PATH: [join(process.execPath, ".."), ...dirs].join(delimiter) };
}
