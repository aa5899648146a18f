import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { shutdown } from "@perdure/core/runtime";
import type { World } from "@perdure/core/world";
import { createDashboard, dashboardNode } from "@perdure/dashboard";
import type { DevPart } from "./dev.ts";
import { CommandError } from "./errors.ts";
import { type Making, openPlace, type PlaceOptions, project } from "./place.ts";
import { untilSignal } from "./signals.ts";
import { print } from "./terminal.ts";

/** `perdure dashboard`: the dashboard of a store, on this machine. `perdure dev` has it beside its worker. */

export interface DashboardCommandOptions extends PlaceOptions {
  readonly port?: string;
  readonly host?: string;
  readonly readOnly?: boolean;
}

const PORT = 4620;
/** Where nobody named a port, the first free one of so many is taken. */
const PORTS = 10;
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/** Serves the dashboard until a signal. */
export async function dashboard(options: DashboardCommandOptions): Promise<void> {
  const part = new DashboardPart(options, "must exist");
  await part.start();
  await untilSignal();
  await part.stop();
  await shutdown();
}

/** The dashboard as a server of this process. */
export class DashboardPart implements DevPart {
  readonly #options: DashboardCommandOptions;
  readonly #making: Making;
  #server: Server | undefined;

  constructor(options: DashboardCommandOptions, making: Making) {
    this.#options = options;
    this.#making = making;
  }

  async start(): Promise<void> {
    const { host = "127.0.0.1", port } = this.#options;
    const first = portOf(port);
    const world = await openPlace(this.#options, this.#making);
    const server = createServer(dashboardNode(await dashboardOf(world, this.#options, host)));
    await listen(server, host, first, port === undefined ? PORTS : 1);
    this.#server = server;
    const { port: taken } = server.address() as AddressInfo;
    const name = LOOPBACK.includes(host) ? "localhost" : host.includes(":") ? `[${host}]` : host;
    print(`The dashboard of ${world.name} is at http://${name}:${taken}/`);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    // Browsers keep connections open for events.
    server.closeAllConnections();
    await closed;
  }
}

async function dashboardOf(
  world: World,
  options: DashboardCommandOptions,
  host: string,
): Promise<ReturnType<typeof createDashboard>> {
  const { config } = await project(options);
  const authorize = config.dashboard?.authorize;
  if (authorize === undefined && !LOOPBACK.includes(host)) {
    throw new CommandError(
      `Who may look? On ${host} others reach the dashboard: say it with dashboard: { authorize } in perdure.config.ts, or leave --host out.`,
    );
  }
  const readOnly = options.readOnly ?? config.dashboard?.readOnly ?? false;
  return createDashboard({ world, readOnly, authorize: authorize ?? "loopback" });
}

function portOf(text: string | undefined): number {
  const port = Number(text ?? PORT);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new CommandError("--port: write a number from 0 to 65535.");
}

async function listen(server: Server, host: string, first: number, tries: number): Promise<void> {
  for (let port = first; ; port++) {
    try {
      server.listen(port, host);
      await once(server, "listening");
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE") throw new CommandError(`The dashboard cannot be served: ${message}`);
      if (port + 1 >= first + tries) {
        throw new CommandError(`Port ${port} is in use. Choose another one with --port.`);
      }
    }
  }
}
