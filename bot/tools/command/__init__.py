"""Any tool by a small declared contract: see :mod:`bot.tools.command.tool`."""
