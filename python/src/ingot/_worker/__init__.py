"""The worker: a process that holds one loaded model and answers the model server over a Unix socket.

Standard library only; numpy and pandas are imported when the model needs them. It is started by path
(``python -u <this directory>/main.py --socket PATH``) and never installed into a model's environment.
"""
