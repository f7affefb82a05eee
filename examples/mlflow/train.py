"""Logs, registers and names a model with nothing but MLflow; MLFLOW_TRACKING_URI says where."""

import mlflow
from mlflow import MlflowClient
from sklearn.datasets import load_wine
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split

X, y = load_wine(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

mlflow.set_experiment("wine")
with mlflow.start_run():
    model = RidgeClassifier(alpha=0.5).fit(X_train, y_train)
    mlflow.log_param("alpha", 0.5)
    mlflow.log_metric("accuracy", model.score(X_test, y_test))
    logged = mlflow.sklearn.log_model(model, name="model", input_example=X_train.head(2), registered_model_name="wine")

client = MlflowClient()
client.set_registered_model_alias("wine", "champion", logged.registered_model_version)
found = client.search_model_versions("name = 'wine'")
print("versions of wine:", ", ".join(version.version for version in found))
print("champion says:", mlflow.pyfunc.load_model("models:/wine@champion").predict(X_test.head(3)).tolist())
