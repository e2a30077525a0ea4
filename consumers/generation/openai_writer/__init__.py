"""The generator `openai`: words from any endpoint that speaks OpenAI's chat completions."""
