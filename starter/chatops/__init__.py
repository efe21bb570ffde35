"""Commands that people type or press in their chat: the same verbs, the same refusals, told to them alone.

`words` reads what was typed, `talk` carries it out and words the answer, `people` says who somebody is, `signatures` whether it
came from the chat at all, `modals` are forms in Slack's language, and `slack` is its door. `matrix` is the other one: it listens.
"""
