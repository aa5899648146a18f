// What examples take as given: a program of the reader's.

import type { StandardSchema } from "@perdure/core";
import type { Run } from "@perdure/core/api";
import type { OpenStore, OperationProbe, World } from "@perdure/core/world";
import type { Dashboard } from "@perdure/dashboard";

declare global {
  const world: World;
  const run: Run<string>;
  const runId: string;
  const now: number;
  const source: string;
  const token: string;
  const payload: { readonly ok: boolean };
  const approvalSchema: StandardSchema<{ ok: boolean }>;
  const orderId: string;
  const order: { readonly id: string };
  const invoiceId: string;
  const today: string;
  const newest: Run<number>;
  const response: Response;
  const request: Request;
  const yesterday: Date;
  const stripe: {
    readonly charges: {
      create(charge: { customer: string }, options: { idempotencyKey: string }): Promise<{ id: string }>;
    };
  };

  /** A store of an adapter's author. */
  interface MyConnection {
    readonly version: string;
    end(): Promise<void>;
  }
  const connectTo: (
    url: string,
    options: { useCallersClock: boolean; beforeOperation: OperationProbe | undefined },
  ) => Promise<MyConnection>;
  const verbsOf: (connection: MyConnection) => Omit<OpenStore, "settings" | "hints" | "close">;

  const createServer: typeof import("node:http").createServer;
  const PrometheusExporter: typeof import("@opentelemetry/exporter-prometheus").PrometheusExporter;
  const MeterProvider: typeof import("@opentelemetry/sdk-metrics").MeterProvider;

  const stripeClient: typeof stripe;
  /** Bun's bundler. */
  const Bun: { build(options: object): Promise<unknown> };

  const dashboard: Dashboard;
  /** An application of Express, Hono or Fastify. */
  const app: {
    use(path: string, handler: unknown): void;
    all(path: string, handler: unknown): void;
    route(route: object): void;
  };
  function authorize(request: Request): boolean;
  function isAdmin(cookie: string | null): boolean;
  function isCharged(order: string): Promise<boolean>;
  function setCharged(order: string): Promise<void>;
  function spend(account: string, fence: number): Promise<void>;
  function createCharge(of: string | typeof order): Promise<{ id: string }>;
  function chargeInvoice(invoiceId: string): Promise<{ id: string }>;
  function fetchKey(id: string): Promise<Uint8Array | null>;
  function fetchRates(day: string): Promise<string>;
  function importDay(day: string): Promise<string>;
  function report(customer: string, version: number): Promise<number>;
  function ship(of: typeof order): Promise<void>;
  function unlock(of: typeof order): Promise<void>;
  function notify(of: typeof order): Promise<void>;
  /** A Kysely. */
  const db: { transaction(): { execute<T>(work: (trx: Transaction) => Promise<T>): Promise<T> } };
  interface Transaction {
    insertInto(table: string): { values(row: object): { execute(): Promise<unknown> } };
    transaction(): { execute<T>(work: (trx: Transaction) => Promise<T>): Promise<T> };
  }
  function updateBalance(of: string, fence: number): Promise<string>;
  function chargeCustomer(customerId: string, amount: number): Promise<string>;
  /** What keeps a serverless function alive after its response. */
  function waitUntil(work: Promise<unknown>): void;
  function chargeOrder(customer: string, amount: number): Promise<{ chargeId: string }>;
  function askManager(token: string): Promise<void>;
  function payOut(expense: string): Promise<string>;
  function resize(image: string): Promise<void>;
  function bookFlight(trip: string): Promise<void>;
  function cancelFlight(trip: string): Promise<void>;
  function bookHotel(trip: string): Promise<void>;
  function cancelHotel(trip: string): Promise<void>;
  function pay(trip: string): Promise<void>;
  function remind(at: Date): Promise<void>;
  function sendReport(day: string): Promise<void>;
  function reportOf(day: string): Promise<void>;
  function myWorkflow(of: typeof payload): Promise<void>;
}
