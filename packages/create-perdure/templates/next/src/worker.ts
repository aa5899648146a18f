import "./perdure.ts";
import "./workflows.ts"; // a worker executes the workflows that are loaded
