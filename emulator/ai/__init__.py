"""The data planes of Azure OpenAI and Azure AI Language, on this machine."""
