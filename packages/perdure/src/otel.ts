/** `perdure/otel`: traces and metrics by OpenTelemetry. Needs `@opentelemetry/api` in your project. */
import "./default-world.ts";

export * from "@perdure/otel";
