// One API server as a process of its own. It starts runs and waits for them; the workers execute them.

import { parseArgs } from "node:util";
import { serve } from "@hono/node-server";
import { configure } from "perdure/runtime";
import { nobodyWatches } from "../servers/moments.ts";
import { type FromServer, watchOverIpc } from "../servers/watch-over-ipc.ts";
import { worldNamed } from "../worlds.ts";
import { createApi } from "./app.ts";
import { checkThenAct } from "./check-then-act.ts";
import { keyed } from "./keyed.ts";

const { values } = parseArgs({
  options: {
    world: { type: "string", default: "sqlite" },
    address: { type: "string", default: "" },
    port: { type: "string", default: "0" },
    door: { type: "string", default: "0" },
    lease: { type: "string", default: "2000" },
    /** The file of the flags, where the API checks and then acts. */
    flags: { type: "string" },
  },
});

const world = worldNamed(values.world).open(values.address);
await world.open();
configure({ world, worker: false });
const app = createApi({
  guard: values.flags === undefined ? keyed(world, Number(values.lease)) : checkThenAct(values.flags),
  provider: { url: process.env.STRIPE_API_BASE ?? "", secret: process.env.STRIPE_SECRET_KEY ?? "" },
  watch: process.send ? watchOverIpc() : nobodyWatches,
  door: Number(values.door),
});
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(values.port) }, ({ port }) => {
  const message: FromServer = { type: "listening", urls: [`http://127.0.0.1:${port}`] };
  if (process.send) process.send(message);
  else console.log(`The API listens at ${message.urls[0]}`);
});
process.once("SIGTERM", () => {
  server.close();
  void world.close().then(() => process.exit());
});
// The demo is gone, however it went: nobody would ever end this process.
process.once("disconnect", () => process.exit(1));
