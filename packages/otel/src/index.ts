/** `perdure/otel`: traces and metrics of a process, by OpenTelemetry. */
export { type OpenTelemetryOptions, registerOpenTelemetry } from "./register.ts";
