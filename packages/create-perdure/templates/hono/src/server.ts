import "./perdure.ts";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { getRun, start } from "perdure/api";
import { chargeCustomer } from "./workflows.ts";

const app = new Hono();

// One run for an order, whoever asks for it and how often.
app.post("/charges/:order", async (c) => {
  const order = c.req.param("order");
  const run = await start(chargeCustomer, [order, 4200], { idempotencyKey: order });
  return c.json({ runId: run.runId, status: await run.status }, 202);
});

app.get("/runs/:id", async (c) => {
  const run = getRun(c.req.param("id"));
  if (!(await run.exists)) return c.json({ error: "no such run" }, 404);
  const status = await run.status;
  return c.json({ status, result: status === "completed" ? await run.returnValue : null });
});

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://localhost:${port}`);
});
