/** Where a Redis or Valkey server program is on this machine, or how it gets here. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How a server is started: the program itself, or a container. */
export type RedisProgram =
  | { readonly type: "binary"; readonly path: string }
  | { readonly type: "docker"; readonly image: string };

const NAMES = ["redis-server", "valkey-server"] as const;
const IMAGE = "redis:7.2-alpine";

/**
 * A program of this machine; else, for root on Debian or Ubuntu, the package `redis-server`; else a container.
 *
 * @throws where there is none of them; the message names the command that mends it
 */
export async function findRedis(): Promise<RedisProgram> {
  const path = installed() ?? (await install());
  if (path !== undefined) return { type: "binary", path };
  if (await works("docker", ["info"])) return { type: "docker", image: IMAGE };
  throw new Error(
    "There is no Redis here. Do one of these: `apt-get install redis-server`, `brew install redis`, start Docker, or " +
      "set PERDURE_TEST_REDIS_URL to a server whose keys may be written.",
  );
}

function installed(): string | undefined {
  for (const name of NAMES) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {}
  }
  return undefined;
}

/** Installs the package without the service that comes with it. */
async function install(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return undefined;
  // Several test files may ask at once: one installs, the others wait for it.
  const lock = join(tmpdir(), "perdure-testbed-apt");
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      await delay(500);
      const done = installed();
      if (done !== undefined) return done;
    }
  }
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    await run("apt-get", ["update"], { env }).catch(() => {});
    await run("apt-get", ["install", "-y", "--no-install-recommends", "redis-server"], { env });
    await works("systemctl", ["disable", "--now", "redis-server"]);
    return installed();
  } catch {
    return undefined;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function works(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}
