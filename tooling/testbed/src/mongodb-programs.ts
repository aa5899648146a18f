/** What there is to run as a MongoDB server: on this machine, from a download, as a container, or from the registry. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { MongoBinary } from "mongodb-memory-server-core";

/** Something that can be started as a server. */
export type MongodbProgram =
  /** MongoDB's own server. */
  | { readonly type: "mongod"; readonly path: string; readonly source: string }
  | { readonly type: "docker"; readonly image: string }
  /** A partial server in memory: see `docs/reliability.md` for what it cannot show. */
  | { readonly type: "partial"; readonly path: string; readonly source: string };

/** Folders in which installers put `mongod` without naming them in PATH. */
const FOLDERS = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/mongodb/bin"];
const IMAGE = "mongo:8";
const PARTIAL = "@jongodb/memory-server-bin-linux-x64-gnu";

/**
 * The best program that can be had.
 *
 * @throws where there is none; the message names the commands that mend it
 */
export async function findMongodb(): Promise<MongodbProgram> {
  const found = installed() ?? (await downloaded()) ?? container() ?? partial();
  if (found !== undefined) return found;
  throw new Error(
    "There is no MongoDB here. Do one of these: install `mongod`, allow downloads for mongodb-memory-server, start " +
      "Docker, or set PERDURE_TEST_MONGODB_URL.",
  );
}

function installed(): MongodbProgram | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...FOLDERS];
  const suffix = process.platform === "win32" ? ".exe" : "";
  for (const folder of folders) {
    const path = join(folder, `mongod${suffix}`);
    // A package's launcher of that name is not the server.
    if (!folder.includes("node_modules") && canExecute(path)) return { type: "mongod", path, source: folder };
  }
  return undefined;
}

/** The server that mongodb-memory-server has on this machine, or downloads where the network allows it. */
async function downloaded(): Promise<MongodbProgram | undefined> {
  try {
    const path = await MongoBinary.getPath();
    return { type: "mongod", path, source: "mongodb-memory-server" };
  } catch {
    return undefined;
  }
}

function container(): MongodbProgram | undefined {
  try {
    execFileSync("docker", ["info"], { stdio: "ignore", timeout: 5_000 });
    return { type: "docker", image: IMAGE };
  } catch {
    return undefined;
  }
}

function partial(): MongodbProgram | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${PARTIAL}/package.json`);
    const path = join(dirname(manifest), "bin", "jongodb");
    return canExecute(path) ? { type: "partial", path, source: PARTIAL } : undefined;
  } catch {
    return undefined;
  }
}

function canExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
