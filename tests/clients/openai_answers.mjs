// The official OpenAI client for JavaScript, unmodified: takes answers that hold tool calls, by each of its ways, and
// tells what it made of them.

import OpenAI from "openai";

const given = JSON.parse(process.argv[2]);
// A client that hangs ends.
setTimeout(() => process.exit(1), 60_000).unref();
const client = new OpenAI({ timeout: 30_000, maxRetries: 0 });

const called = [];
const functions = ["refund", "delete_order"].map((name) => ({
  name,
  parameters: { type: "object" },
}));
const chat = {
  model: "small",
  messages: [{ role: "user", content: "?" }],
  tools: functions.map((one) => ({ type: "function", function: one })),
};
const response = {
  model: "small",
  input: "?",
  tools: functions.map((one) => ({ type: "function", strict: false, ...one })),
};

const ofMessage = ({ message, finish_reason }) => ({
  text: message.content,
  calls: (message.tool_calls ?? []).map((call) => [call.id, call.function.name, call.function.arguments]),
  end: finish_reason,
});

const ofResponse = (whole) => ({
  text: whole.output_text,
  items: whole.output.map((item) => item.type),
  calls: whole.output
    .filter((item) => item.type === "function_call")
    .map((call) => [call.call_id, call.name, call.arguments]),
  end: whole.status,
});

const ways = {
  "chat whole": async () => ofMessage((await client.chat.completions.create(chat)).choices[0]),
  "chat helper": async () => {
    const stream = client.chat.completions.stream(chat);
    return ofMessage((await stream.finalChatCompletion()).choices[0]);
  },
  // Runs the tools that the model calls, until it calls none.
  "chat runner": async () => {
    const tools = functions.map((one) => ({
      type: "function",
      function: {
        ...one,
        parse: JSON.parse,
        function: () => {
          called.push(one.name);
          return "done";
        },
      },
    }));
    const runner = client.chat.completions.runTools({ ...chat, tools, stream: true });
    return { text: await runner.finalContent(), called };
  },
  "responses whole": async () => ofResponse(await client.responses.create(response)),
  "responses stream": async () => {
    const numbers = [];
    let end = null;
    for await (const event of await client.responses.create({ ...response, stream: true })) {
      numbers.push(event.sequence_number);
      end = event.response ?? end;
    }
    const gaps = numbers.some((number, index) => number !== index);
    return { ...ofResponse({ output_text: "", ...end }), gaps };
  },
  "responses helper": async () => {
    const stream = client.responses.stream(response);
    return ofResponse(await stream.finalResponse());
  },
};

for (const one of given.cases) {
  let told;
  try {
    told = await ways[one.way]();
  } catch (error) {
    if (!(error instanceof OpenAI.OpenAIError)) throw error;
    told = { error: error.constructor.name, message: error.message, status: error.status ?? null };
  }
  console.log(JSON.stringify({ case: one.way, ...told }));
}
