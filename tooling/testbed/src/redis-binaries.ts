/** Where a Redis or Valkey server program is on this machine, or how it gets here. */
import { findProgram, succeeds } from "./programs.ts";

/** How a server is started: the program itself, or a container. */
export type RedisProgram =
  | { readonly type: "binary"; readonly path: string }
  | { readonly type: "docker"; readonly image: string };

const IMAGE = "redis:7.2-alpine";

/**
 * A program of this machine; else, for root on Debian or Ubuntu, the package `redis-server`; else a container.
 *
 * @throws where there is none of them; the message names the command that mends it
 */
export async function findRedis(): Promise<RedisProgram> {
  const path = await findProgram(["redis-server", "valkey-server"], { package: "redis-server" });
  if (path !== undefined) return { type: "binary", path };
  if (await succeeds("docker", ["info"])) return { type: "docker", image: IMAGE };
  throw new Error(
    "There is no Redis here. Do one of these: `apt-get install redis-server`, `brew install redis`, start Docker, or " +
      "set PERDURE_TEST_REDIS_URL to a server whose keys may be written.",
  );
}
