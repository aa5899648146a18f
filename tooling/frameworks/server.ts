// A framework's server as a process of its own, which can be killed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { alone } from "./project.ts";

export interface Server {
  readonly url: string;
  /** Ends it, and all processes that it has started, with SIGKILL. */
  kill(): Promise<void>;
}

/** Starts a server of the project and waits until it answers at `/charge`. */
export async function startServer(
  project: string,
  line: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Server> {
  const port = await freePort();
  const [name = "", ...args] = line.map((word) => word.replace("PORT", String(port)));
  const file = name === "node" ? process.execPath : join(project, "node_modules/.bin", name);
  const child = spawn(file, args, {
    cwd: project,
    detached: true,
    env: {
      ...alone(),
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      HOSTNAME: "127.0.0.1",
      PORT: String(port),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  const ended = once(child, "exit");
  const server: Server = {
    url: `http://127.0.0.1:${port}`,
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), "SIGKILL");
      await ended;
    },
  };
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${line.join(" ")} ended with ${child.exitCode}:\n${said}`);
    const response = await fetch(`${server.url}/charge`).catch(() => undefined);
    return response?.ok === true;
  }).catch(async (error) => {
    await server.kill();
    throw new Error(`${line.join(" ")} does not answer:\n${said}`, { cause: error });
  });
  return server;
}

/** Waits until a condition holds; a minute at most. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited a minute until ${holds}`);
    await pause(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
